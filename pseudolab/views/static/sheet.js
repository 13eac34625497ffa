// The pictures of a pool side by side in one image: whatever shows one of them draws it from here.
// pictures: what pseudolab.views.explorer.sprite makes.

class Sheet {
  constructor({ src, size, columns }) {
    Object.assign(this, { size, columns, isReady: false });
    this.image = new Image();
    this.image.src = src;
    this.ready = this.image.decode().then(() => {
      this.isReady = true;
    });
  }

  draw(context, i, x, y, side) {
    const { size, columns } = this;
    const from = [(i % columns) * size, Math.floor(i / columns) * size];
    context.drawImage(this.image, ...from, size, size, x, y, side, side);
  }

  // A picture by itself, as an element `side` pixels wide; words: what a screen reader says of it
  thumb(i, side, words = null) {
    const pixels = 2 * side;
    const told = words === null ? { "aria-hidden": "true" } : { role: "img", "aria-label": words };
    const style = `width:${side}px;height:${side}px`;
    const canvas = make("canvas", { width: pixels, height: pixels, style, ...told });
    const paint = () => {
      const context = canvas.getContext("2d");
      context.imageSmoothingQuality = "high";
      this.draw(context, i, 0, 0, pixels);
    };
    if (this.isReady) paint();
    else this.ready.then(paint);
    return canvas;
  }
}
