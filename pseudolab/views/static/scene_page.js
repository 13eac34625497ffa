// needs sheet
// needs scene_layout
// needs scene_canvas
// needs scene
// The scene by itself.

function mount(root, data, options = {}) {
  return new Scene(root, data, options);
}
