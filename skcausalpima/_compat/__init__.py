"""Private names of other libraries that the package uses: what their next version may break."""
