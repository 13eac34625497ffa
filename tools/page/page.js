// Of every page: what scrolls sideways can be reached by the keyboard, and a print shows what is
// folded away, in the colours of paper.
(() => {
  "use strict";

  const boxes = ["pre", ".cell-output-display", "table", "math", ".sourceCode"];
  const reachable = () => {
    for (const box of document.querySelectorAll(boxes.map((one) => `main ${one}`).join(", ")))
      if (box.scrollWidth > box.clientWidth + 1) box.tabIndex = 0;
  };
  addEventListener("load", reachable);
  addEventListener("resize", reachable);

  let after = []; // what brings the page back
  const setFor = (node, name, value) => {
    const before = node[name];
    node[name] = value;
    after.push(() => (node[name] = before));
  };
  const onPaper = () => {
    const folds = document.querySelectorAll("main details:not([open])");
    for (const fold of folds) setFor(fold, "open", true);
    for (const sheet of document.querySelectorAll("link.quarto-color-scheme"))
      setFor(sheet, "media", sheet.dataset.mode === "dark" ? "not all" : "all");
    setFor(document.documentElement, "className", "");
    const widgets = document.querySelectorAll(".plab");
    for (const widget of widgets) setFor(widget.dataset, "theme", "light");
  };
  addEventListener("beforeprint", onPaper);
  addEventListener("afterprint", () => {
    after.forEach((undo) => undo());
    after = [];
  });
})();
