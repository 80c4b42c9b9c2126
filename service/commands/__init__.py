"""The commands of `posewire`, but for the service itself."""
