// needs sheet
// needs explorer
// The run explorer as an anywidget. Python and the page hold the same round and the same class.

function render({ model, el }) {
  const root = document.createElement("div");
  root.className = "plab";
  el.append(root);
  followTheme(root);
  const view = new Explorer(root, model.get("data"), { live: true });
  const classes = () => model.get("data").classes;
  const take = () => {
    const selected = classes().indexOf(model.get("selected_class"));
    view.set({ round: model.get("round"), selected });
  };
  const give = ({ round, selected }) => {
    const name = classes()[selected];
    if (model.get("round") === round && model.get("selected_class") === name) return;
    model.set({ round, selected_class: name });
    model.save_changes();
  };
  take();
  view.onchange = give;
  model.on("change:round", take);
  model.on("change:selected_class", take);
  model.on("change:data", () => view.update(model.get("data")));
}

export default { render };
