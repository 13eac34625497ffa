// needs sheet
// needs scene_layout
// needs scene_canvas
// needs scene
// needs explorer
// needs run_view
// A run by itself.

function mount(root, data) {
  return showRun(root, data);
}
