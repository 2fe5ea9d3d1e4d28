"""One module per command of make; `estimator` is the SDK's side of `train`."""
