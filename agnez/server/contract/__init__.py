"""What the server promises to any program: an OpenAPI document, and a page to read it on."""
