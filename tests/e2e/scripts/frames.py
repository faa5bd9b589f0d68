"""A run each line of whose input is an epoch with all that is shown in frames: HTML, a figure of a user, and ours."""

import sys

import matplotlib.pyplot as plt

import agnez

BUSY = """<script>
addEventListener("message", () => {
    const until = performance.now() + 200;
    while (performance.now() < until);
});
</script>"""
"""What keeps a document from painting itself as soon as it is shown."""

run = agnez.init("framed", "frames", port=int(sys.argv[1]), renderer="mpld3")
print(run.id, flush=True)
for step, colour in enumerate(sys.stdin):
    figure, axes = plt.subplots()
    axes.plot(range(10))
    axes.set_title(f"drawn {step}")
    page = f'<div style="height: 300px; background: {colour.strip()}">written {step}</div>{BUSY}'
    run.log({"loss": 1 / (step + 1), "drawing": figure, "page": agnez.Html(page)}, step=step)
    plt.close(figure)
    run.epoch(step + 1)
    run.flush()
    print(step, flush=True)
