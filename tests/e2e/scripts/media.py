"""A user's script: a training on scikit-learn's digits that logs one of each kind, step by step."""

import sys

import numpy as np
import pandas
from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier

import agnez

RATE = 8000
images, labels = load_digits(return_X_y=True)
images = images / 16
model = SGDClassifier(loss="log_loss", random_state=0)
run = agnez.init("digits", "one of each", port=int(sys.argv[1]), renderer="live")
print(run.id, flush=True)


def film(weights):
    """Ten frames in which each class' weights come up."""
    low, high = weights.min(), weights.max()
    frames = np.stack([np.kron((each.reshape(8, 8) - low) / (high - low), np.ones((8, 8))) for each in weights])
    return agnez.Video(frames, fps=4, caption="the classes")


for step, line in enumerate(sys.stdin):
    if line.strip() == "end":
        break
    part = slice(150 * step, 150 * step + 150)
    model.partial_fit(images[part], labels[part], classes=range(10))
    wrong = images[model.predict(images) != labels]
    score = model.score(images, labels)
    guesses = pandas.DataFrame(
        {
            "label": labels[:500],
            "guess": model.predict(images[:500]),
            "confidence": model.predict_proba(images[:500]).max(1),
        }
    )
    pitch = np.sin(np.arange(RATE) * 2 * np.pi * (220 + 440 * score) / RATE) * np.linspace(1, 0, RATE)
    run.log(
        {
            "accuracy": score,
            "digit": agnez.Image(images[step].reshape(8, 8), caption=f"a {labels[step]}"),
            "filters": agnez.Images(model.coef_.reshape(10, 8, 8), normalize=True),
            "mistakes": agnez.Images(wrong[:120].reshape(-1, 8, 8)),
            "film": film(model.coef_),
            "tone": agnez.Audio(pitch.astype(np.float32), sample_rate=RATE),
            "note": agnez.Text(
                f"# Step {step}\n\nAccuracy **{100 * score:.1f} %**, `{len(wrong)}` wrong.\n\n- one\n- [two](https://example.org)\n\n"
                f"> <script>alert({step})</script>\n\n| a | b |\n|---|--:|\n| x | {step} |\n\n```py\nrun.log(x)\n```"
            ),
            "guesses": agnez.Table(guesses),
            "weights": agnez.Histogram(model.coef_),
            "page": agnez.Html(f"<h3>step {step}</h3><script>document.body.append('drawn {step}')</script>"),
        },
        step=10 * step,
    )
    run.flush()
    print("logged", step, flush=True)
run.finish()
