// Where each picture of the scene stands: columns on shelves, and in each column rows from its
// floor up, the right pictures below the wrong ones. Nothing here touches the page.

const WIDEST_TILE = 56; // pixels
const NARROWEST_TILE = 5;
const TIGHTEST = 0.9; // of a tile: rows may overlap until so much of each is left
const READABLE = 76; // pixels: a column at least so wide has room for its name
const NAMED = 58; // below this width a column is a band without a name
const MOST_SHELVES = 4;
const PHONE = 560; // pixels: a narrower stage shows the weakest columns alone
const ON_PHONE = 4; // columns
const ELSEWHERE = -1; // the class of the cell that stands for all others

const PLAIN = 0; // right, or nobody knows
const RINGED = 1; // wrong
const TOLD = 2; // its label was given to this run

// The cells of a stage. order: classes, weakest first; most[c]: the most pictures that column c
// ever holds; asked: the class that has a column in any case
function stageOf(width, height, order, most, asked) {
  return width < PHONE && order.length > ON_PHONE
    ? phoneStage(width, height, order, most, asked)
    : wideStage(width, height, order, most);
}

function wideStage(width, height, order, most) {
  const shelves = Math.min(MOST_SHELVES, Math.ceil((order.length * READABLE) / width));
  const across = Math.ceil(order.length / shelves);
  const deep = height / shelves;
  const wide = width / across;
  const named = wide >= NAMED;
  const head = named ? (shelves === 1 ? 56 : 36) : 6;
  const cells = order.map((c, at) => ({
    c,
    left: (at % across) * wide,
    top: Math.floor(at / across) * deep,
    wide,
    deep: deep - (shelves > 1 ? 5 : 0),
    head,
  }));
  return finished({ width, height, shelves, named, cells }, most);
}

function phoneStage(width, height, order, most, asked) {
  const strip = 62;
  const first = order.slice(0, ON_PHONE);
  const shown = first.includes(asked) ? first : [...first.slice(1), asked];
  const wide = width / ON_PHONE;
  const cells = shown.map((c, at) => ({
    c,
    left: at * wide,
    top: 0,
    wide,
    deep: height - strip,
    head: 56,
  }));
  cells.push({
    c: ELSEWHERE,
    left: 0,
    top: height - strip + 6,
    wide: width,
    deep: strip - 6,
    head: 22,
    others: order.filter((c) => !shown.includes(c)),
  });
  return finished({ width, height, shelves: 1, named: true, cells }, most);
}

// Adds the size of a tile, and to each cell how its rows lie
function finished(stage, most) {
  const columns = stage.cells.filter((cell) => cell.c !== ELSEWHERE);
  const gap = columns[0].wide > 40 ? 5 : columns[0].wide > 12 ? 1.5 : 0.5;
  const inside = columns[0].wide - 2 * gap;
  const room = columns[0].deep - columns[0].head - 3;
  const largest = Math.max(1, ...columns.map((cell) => most[cell.c]));
  stage.tile = tileFor(inside, room, largest);
  const perRow = Math.max(1, Math.floor(inside / stage.tile));
  const rows = Math.ceil(largest / perRow);
  // the same in every column, so that heights can be compared
  const pitch = rows > 1 ? Math.min(stage.tile, (room - stage.tile) / (rows - 1)) : stage.tile;
  stage.cellOf = new Map();
  for (const cell of stage.cells) {
    const { tile } = stage;
    cell.floor = cell.top + cell.deep - 2;
    cell.room = cell.deep - cell.head - 3;
    if (cell.c === ELSEWHERE) {
      cell.others.forEach((c) => stage.cellOf.set(c, cell));
      continue;
    }
    cell.perRow = perRow;
    cell.pitch = pitch;
    cell.start = cell.left + gap + (inside - perRow * tile) / 2;
    stage.cellOf.set(cell.c, cell);
  }
  return stage;
}

// The largest tile with which `largest` pictures fit into one column
function tileFor(inside, room, largest) {
  for (let perRow = 1; ; perRow++) {
    const tile = Math.floor(Math.min(WIDEST_TILE, inside / perRow));
    if (tile <= NARROWEST_TILE) return Math.max(3, Math.min(NARROWEST_TILE, inside));
    const rows = Math.ceil(largest / Math.floor(inside / tile));
    if (tile + (rows - 1) * tile * TIGHTEST <= room) return tile;
  }
}

// How high `pictures` stand in a cell, in pixels
const heightOf = (cell, pictures) => (pictures / cell.perRow) * cell.pitch;

// What each picture is in a round: PLAIN, RINGED or TOLD. places: a class, or -1 where it was told
function kindsOf(places, truth) {
  return Uint8Array.from(places, (place, i) => {
    if (place < 0) return TOLD;
    return truth && truth[i] >= 0 && truth[i] !== place ? RINGED : PLAIN;
  });
}

// Corners of all tiles in a round, and the pictures of each cell from its floor up
function standing(stage, places, truth) {
  const n = places.length;
  const kinds = kindsOf(places, truth);
  const columnOf = (i) => (places[i] < 0 ? truth[i] : places[i]);
  const rank = (i) => {
    if (kinds[i] === RINGED) return (2 + truth[i]) * n + i;
    return (kinds[i] === PLAIN ? n : 0) + i;
  };
  const piles = new Map(stage.cells.map((cell) => [cell, []]));
  for (let i = 0; i < n; i++) piles.get(stage.cellOf.get(columnOf(i))).push(i);
  const x = new Float32Array(n);
  const y = new Float32Array(n);
  for (const [cell, pile] of piles) {
    if (cell.c === ELSEWHERE) {
      pile.sort((a, b) => columnOf(a) - columnOf(b) || a - b);
      layInStrip(stage, cell, pile, x, y);
    } else {
      pile.sort((a, b) => rank(a) - rank(b));
      layInRows(stage, cell, pile, x, y);
    }
  }
  return { x, y, kinds, piles };
}

function layInRows({ tile }, cell, pile, x, y) {
  pile.forEach((i, at) => {
    x[i] = cell.start + (at % cell.perRow) * tile;
    y[i] = cell.floor - tile - Math.floor(at / cell.perRow) * cell.pitch;
  });
}

function layInStrip({ tile }, cell, pile, x, y) {
  const wide = cell.wide - 12;
  const step = pile.length > 1 ? Math.min(tile, (wide - tile) / (pile.length - 1)) : 0;
  pile.forEach((i, at) => {
    x[i] = cell.left + 6 + at * step;
    y[i] = cell.floor - tile - 3;
  });
}

// The tile under a point, the one on top; -1: none
function tileAt({ tile }, { x, y }, px, py) {
  for (let i = x.length - 1; i >= 0; i--)
    if (px >= x[i] && px < x[i] + tile && py >= y[i] && py < y[i] + tile) return i;
  return -1;
}
