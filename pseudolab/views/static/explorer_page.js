// needs sheet
// needs explorer
// The explorer by itself.

function mount(root, data, options = {}) {
  return new Explorer(root, data, options);
}
