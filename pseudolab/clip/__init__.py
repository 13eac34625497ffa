"""CLIP behind one interface: the model, how it is loaded, the pocket CLIP that ships."""
