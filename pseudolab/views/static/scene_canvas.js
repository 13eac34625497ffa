// Draws the tiles of the scene on one canvas, and lets them fly. A frame moves pictures and nothing
// else: what stands still is painted once, before the flight. Tiles are small and many, so their
// pixels are copied here; 6,000 calls of drawImage would take longer than a frame lasts.

const FLIGHT = 820; // ms, for each tile
const STAGGER = 320; // ms between the first tile and the last
const LIFT = 0.16; // of the way, as an arc
const PALE = 0x38000000; // the opacity of a tile that is not of the chosen class

class Tiles {
  // over: a second canvas above the first, for the way of one picture
  constructor(canvas, over, sheet, colours) {
    Object.assign(this, { canvas, over, sheet, colours, atlas: null, timer: 0 });
    this.context = canvas.getContext("2d");
    this.times = []; // ms of script in each frame of the last flight
  }

  // Another size of the stage or other colours
  fit(stage, n) {
    this.stage = stage;
    this.n = n;
    this.ratio = Math.min(2, window.devicePixelRatio || 1);
    for (const surface of [this.canvas, this.over]) {
      surface.width = Math.round(stage.width * this.ratio);
      surface.height = Math.round(stage.height * this.ratio);
    }
    this.image = new ImageData(this.canvas.width, this.canvas.height);
    this.pixels = new Uint32Array(this.image.data.buffer);
    this.back = new Uint32Array(this.pixels.length);
    this.atlas = this.makeAtlas();
  }

  // Every picture at the size of a tile, three times: plain, ringed, told
  makeAtlas() {
    const side = Math.max(1, Math.round(this.stage.tile * this.ratio));
    const across = Math.max(1, Math.min(this.n, Math.floor(4096 / side)));
    const rows = Math.ceil(this.n / across);
    const atlas = document.createElement("canvas");
    atlas.width = across * side;
    atlas.height = 3 * rows * side;
    const g = atlas.getContext("2d", { willReadFrequently: true });
    g.imageSmoothingQuality = "high";
    const gap = side >= 12 ? 1 : 0;
    for (let i = 0; i < this.n; i++) {
      for (const kind of [PLAIN, RINGED, TOLD]) {
        const x = (i % across) * side;
        const y = (kind * rows + Math.floor(i / across)) * side;
        this.sheet.draw(g, i, x, y, side - gap);
        if (kind === RINGED) this.ring(g, x, y, side - gap);
        if (kind === TOLD) this.corner(g, x, y, side - gap);
      }
    }
    const { data } = g.getImageData(0, 0, atlas.width, atlas.height);
    const pixels = new Uint32Array(data.buffer);
    return { side, inner: side - gap, across, rows, pixels, wide: atlas.width };
  }

  ring(g, x, y, side) {
    const thick = Math.max(1, side / 10);
    const outline = (colour, width) => {
      Object.assign(g, { strokeStyle: colour, lineWidth: width });
      g.beginPath();
      if (side < 11) g.rect(x + width / 2, y + width / 2, side - width, side - width);
      else g.arc(x + side / 2, y + side / 2, side / 2 - thick, 0, 2 * Math.PI);
      g.stroke();
    };
    if (side >= 11) outline(this.colours().paper, thick + Math.max(1, side / 16));
    outline(this.colours().wrong, thick);
  }

  corner(g, x, y, side) {
    const edge = Math.max(2, side * 0.42);
    for (const [colour, length] of [
      [this.colours().paper, edge],
      [this.colours().ink, edge * 0.7],
    ]) {
      g.fillStyle = colour;
      g.beginPath();
      g.moveTo(x, y);
      g.lineTo(x + length, y);
      g.lineTo(x, y + length);
      g.fill();
    }
  }

  // ---- painting
  // copies one tile into an array of pixels as large as the canvas
  blit(target, i, kind, x, y, pale) {
    const { side, inner, across, rows, pixels, wide } = this.atlas;
    const { width, height } = this.canvas;
    const left = Math.round(x * this.ratio);
    const top = Math.round(y * this.ratio);
    const first = Math.max(0, -left);
    const end = Math.min(inner, width - left);
    const last = Math.min(inner, height - top);
    const start = ((Math.floor(i / across) + kind * rows) * wide + (i % across)) * side;
    for (let row = Math.max(0, -top); row < last; row++) {
      const from = start + row * wide;
      const to = (top + row) * width + left;
      for (let column = first; column < end; column++) {
        const pixel = pixels[from + column];
        target[to + column] = pale ? ((pixel & 0xffffff) | PALE) >>> 0 : pixel;
      }
    }
  }

  clear(g) {
    g.setTransform(1, 0, 0, 1, 0, 0);
    g.clearRect(0, 0, g.canvas.width, g.canvas.height);
  }

  // Paints tiles where they stand, the pale ones below the others.
  // shows(i): is it there at all? bright(i): or pale?
  paint(target, list, place, shows, bright) {
    for (const pale of [true, false])
      for (const i of list)
        if (shows(i) && bright(i) !== pale)
          this.blit(target, i, place.kinds[i], place.x[i], place.y[i], pale);
  }

  still(place, shows, bright) {
    this.stop();
    this.place = { ...place, x: place.x.slice(), y: place.y.slice() };
    this.pixels.fill(0);
    this.paint(this.pixels, this.all(), place, shows, bright);
    this.context.putImageData(this.image, 0, 0);
  }

  all() {
    this.list ??= range(this.n);
    return this.list;
  }

  stop() {
    cancelAnimationFrame(this.timer);
    this.timer = 0;
  }

  // ---- flying, from where the tiles are now
  fly(to, shows, bright, done) {
    this.stop();
    const from = this.place;
    const moves = this.all().filter(
      (i) =>
        shows(i) &&
        (Math.abs(from.x[i] - to.x[i]) > 0.5 ||
          Math.abs(from.y[i] - to.y[i]) > 0.5 ||
          from.kinds[i] !== to.kinds[i]),
    );
    const moving = new Set(moves);
    this.back.fill(0);
    const still = this.all().filter((i) => !moving.has(i));
    this.paint(this.back, still, to, shows, bright);
    const flight = { from, to, moves, bright, began: null, done };
    this.place = { ...to, x: from.x.slice(), y: from.y.slice() };
    this.times = [];
    this.timer = requestAnimationFrame((now) => this.frame(flight, now));
  }

  frame(flight, now) {
    const before = performance.now();
    flight.began ??= now;
    const passed = now - flight.began;
    this.pixels.set(this.back);
    const over = this.moveAll(flight, passed);
    this.context.putImageData(this.image, 0, 0);
    this.times.push(performance.now() - before);
    if (over) {
      this.timer = 0;
      flight.done();
    } else this.timer = requestAnimationFrame((next) => this.frame(flight, next));
  }

  moveAll({ from, to, moves, bright }, passed) {
    const { x, y } = this.place;
    const each = STAGGER / Math.max(1, moves.length);
    for (let at = 0; at < moves.length; at++) {
      const i = moves[at];
      const u = eased((passed - at * each) / FLIGHT);
      const way = to.x[i] - from.x[i];
      x[i] = from.x[i] + way * u;
      y[i] = from.y[i] + (to.y[i] - from.y[i]) * u - LIFT * Math.abs(way) * 4 * u * (1 - u);
      const kind = u < 0.5 ? from.kinds[i] : to.kinds[i];
      this.blit(this.pixels, i, kind, x[i], y[i], !bright(i));
    }
    return passed >= FLIGHT + STAGGER;
  }

  // ---- the way of one picture over the rounds
  noPath() {
    this.clear(this.over.getContext("2d"));
  }

  path(i, places, at, colour) {
    this.noPath();
    const g = this.over.getContext("2d");
    const half = this.stage.tile / 2;
    g.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    const spots = places.map((place) => [place.x[i] + half, place.y[i] + half]);
    const { paper, ink } = this.colours();
    for (const [style, width] of [
      [paper, 5],
      [colour, 2.2],
    ]) {
      Object.assign(g, { strokeStyle: style, lineWidth: width, lineJoin: "round" });
      g.beginPath();
      spots.forEach((spot) => g.lineTo(...spot));
      g.stroke();
    }
    spots.forEach(([x, y], r) => {
      if (r === at) return;
      Object.assign(g, { fillStyle: colour, strokeStyle: paper, lineWidth: 1.5 });
      g.beginPath();
      g.arc(x, y, 3.4, 0, 2 * Math.PI);
      g.fill();
      g.stroke();
    });
    const [x, y] = spots[at];
    for (const [style, width] of [
      [paper, 5],
      [ink, 2.5],
    ]) {
      Object.assign(g, { strokeStyle: style, lineWidth: width });
      g.strokeRect(x - half - 1, y - half - 1, 2 * half + 1, 2 * half + 1);
    }
    g.setTransform(1, 0, 0, 1, 0, 0);
  }
}

function eased(u) {
  const inside = Math.max(0, Math.min(1, u));
  return inside < 0.5 ? 4 * inside ** 3 : 1 - (-2 * inside + 2) ** 3 / 2;
}
