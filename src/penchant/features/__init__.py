"""Features of items: content vectors by modality and kernels over them."""
