// needs sheet
// needs scene_layout
// needs scene_canvas
// needs scene
// needs explorer
// needs run_view
// A run as an anywidget. Python and the page hold the same round and the same class.

function render({ model, el }) {
  const root = document.createElement("div");
  el.append(root);
  const classes = () => model.get("data").classes;
  const held = () => ({
    round: model.get("round"),
    selected: classes().indexOf(model.get("selected_class")),
  });
  const give = ({ round, selected }) => {
    const name = classes()[selected];
    if (model.get("round") === round && model.get("selected_class") === name) return;
    model.set({ round, selected_class: name });
    model.save_changes();
  };
  let view = null;
  const show = () => {
    root.replaceChildren();
    root.className = "plab";
    followTheme(root);
    view = showRun(root, model.get("data"), { live: true, selected: held().selected });
    view.set(held());
    view.onchange = give;
  };
  show();
  model.on("change:round", () => view.set(held()));
  model.on("change:selected_class", () => view.set(held()));
  model.on("change:data", () => {
    const data = model.get("data");
    if (view.holds(data)) view.update(data);
    else show();
  });
}

export default { render };
