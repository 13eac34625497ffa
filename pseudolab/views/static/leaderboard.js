// The selection of the code that was released with Menghini et al. (2023): one pass over the pool.
// Each image goes to its likeliest class, or, if that has no place for it, to all that have one.
// pool: {n, classes, score(i, c), order(i): the classes, likeliest first}; k: places of each class
function leaderboard(pool, k) {
  const boards = new Map(pool.classes.map((c) => [c, []]));
  const offer = (image, c) => {
    const board = boards.get(c);
    const score = pool.score(image, c);
    const full = board.length >= k;
    if (full && score <= board[board.length - 1].score) return false;
    board.push({ score, image });
    if (full) { // only from here on is the board kept in order
      board.sort((a, b) => b.score - a.score || b.image - a.image);
      board.length = k;
    }
    return true;
  };
  for (let image = 0; image < pool.n; image++) {
    const [first, ...others] = pool.order(image);
    if (!offer(image, first)) for (const c of others) offer(image, c);
  }
  return {
    index: pool.classes.flatMap((c) => boards.get(c).map((entry) => entry.image)),
    label: pool.classes.flatMap((c) => boards.get(c).map(() => c)),
  };
}
