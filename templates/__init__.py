"""Hold the HTML around the page, a cell's frame and a notebook's inline frame."""
