"""The demo: a small convolutional network learns to read handwritten digits, in Keras or in PyTorch.

It is written as a user would write it, to be read and copied from.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Literal

import agnez
from agnez.errors import BadValueError
from agnez.optional import require

Framework = Literal["keras", "torch"]
OnEpoch = Callable[[int, int], None]
"""Called at the end of each epoch with its number, from 1, and with how many there are."""

EPOCHS = 80
BATCH = 32


def run(
    framework: Framework = "keras",
    *,
    epochs: int = EPOCHS,
    on_epoch: OnEpoch = lambda epoch, epochs: None,
    **options: Any,
) -> agnez.Run:
    """Train, and return the run; it takes about a minute on two cores.

    `options` are those of `agnez.init`, such as `dir`, `port` and `open_browser`.

    Raises:
        MissingExtraError: a package that it needs is not installed.
        BadValueError: an argument makes no sense.
    """
    if framework not in _DEMOS:
        raise BadValueError(f"framework={framework!r} is not known: choose 'keras' or 'torch'")
    if epochs < 1:
        raise BadValueError(f"epochs={epochs!r} is no number of epochs: give one from 1")
    return _DEMOS[framework](epochs, on_epoch, {"project": "demo", "tags": [framework], **options})


def keras_network() -> Any:
    """Return the network of the demo in Keras: three convolutions, and a layer that tells the digits."""
    import keras
    from keras import layers

    return keras.Sequential(
        [
            layers.Input((8, 8, 1)),
            layers.GaussianNoise(0.3),
            layers.Conv2D(64, 3, padding="same", activation="relu", name="conv1"),
            layers.Conv2D(64, 3, padding="same", activation="relu", name="conv2"),
            layers.MaxPooling2D(),
            layers.Conv2D(128, 3, padding="same", activation="relu", name="conv3"),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(10, name="digits"),
        ]
    )


def torch_network() -> Any:
    """Return the network of the demo in PyTorch: three convolutions, and a layer that tells the digits."""
    from torch import nn

    model = nn.Sequential()
    model.add_module("conv1", nn.Conv2d(1, 64, 3, padding=1))
    model.add_module("relu1", nn.ReLU())
    model.add_module("conv2", nn.Conv2d(64, 64, 3, padding=1))
    model.add_module("relu2", nn.ReLU())
    model.add_module("pool", nn.MaxPool2d(2))
    model.add_module("conv3", nn.Conv2d(64, 128, 3, padding=1))
    model.add_module("relu3", nn.ReLU())
    model.add_module("flat", nn.Flatten())
    model.add_module("dropout", nn.Dropout(0.5))
    model.add_module("digits", nn.Linear(128 * 16, 10))
    return model


def _with_keras(epochs: int, on_epoch: OnEpoch, options: dict[str, Any]) -> agnez.Run:
    os.environ.setdefault("KERAS_BACKEND", "torch")  # read when Keras is imported: the demo brings PyTorch, no other
    callback = agnez.AgnezCallback(config={"epochs": epochs, "batch": BATCH}, **options)
    import keras

    pictures, digits, new_pictures, new_digits = _digits()
    steps = epochs * -(-len(pictures) // BATCH)
    model = keras_network()
    learning_rate = keras.optimizers.schedules.CosineDecay(
        0.0, decay_steps=steps - steps // 10, warmup_target=1e-3, warmup_steps=steps // 10
    )
    model.compile(
        keras.optimizers.Adam(learning_rate),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.fit(
        pictures,
        digits,
        epochs=epochs,
        batch_size=BATCH,
        validation_data=(new_pictures, new_digits),
        verbose=0,
        callbacks=[
            callback,
            keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: on_epoch(epoch + 1, epochs)),
        ],
    )
    if callback.run is None:
        raise agnez.AgnezError("the training ended, but nothing of it could be recorded: see above")
    return callback.run


def _with_torch(epochs: int, on_epoch: OnEpoch, options: dict[str, Any]) -> agnez.Run:
    require("torch", "demo")
    import torch
    from torch.nn.functional import cross_entropy

    pictures, digits, new_pictures, new_digits = (torch.from_numpy(each) for each in _digits())
    pictures, new_pictures = pictures.movedim(3, 1), new_pictures.movedim(3, 1)
    data = torch.utils.data.TensorDataset(pictures, digits)
    loader = torch.utils.data.DataLoader(data, batch_size=BATCH, shuffle=True)
    model = torch_network()
    optimizer = torch.optim.Adam(model.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-3, epochs * len(loader), pct_start=0.1)

    with agnez.init(config={"epochs": epochs, "batch": BATCH}, **options) as run:
        agnez.watch(model, optimizer)
        run.report(epoch=0, epochs=epochs, steps_per_epoch=len(loader))  # so that the page knows how long still
        for epoch in range(epochs):
            model.train()
            for x, y in loader:
                scores = model(x + 0.3 * torch.randn_like(x))
                loss = cross_entropy(scores, y)
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]  # PyTorch leaves it without types
                optimizer.step()
                schedule.step()
                run.log(
                    {
                        "epoch": epoch,
                        "train/loss": loss,
                        "train/accuracy": (scores.argmax(1) == y).float().mean(),
                        "learning_rate": schedule.get_last_lr()[0],
                    }
                )
            model.eval()
            with torch.no_grad():
                scores = model(new_pictures)
            run.log(
                {
                    "val/loss": cross_entropy(scores, new_digits),
                    "val/accuracy": (scores.argmax(1) == new_digits).float().mean(),
                },
                step=run.step - 1,
            )
            on_epoch(epoch + 1, epochs)
    return run


def _digits() -> tuple[Any, Any, Any, Any]:
    """Return pictures of 8 × 8 × 1 numbers from 0 to 1 and their digits: 1,437 to learn from, and 360 new ones."""
    data = require("sklearn.datasets", "demo").load_digits()
    split = require("sklearn.model_selection", "demo").train_test_split
    pictures = (data.images[..., None] / 16).astype("float32")
    learn, new, digits, new_digits = split(pictures, data.target, test_size=0.2, random_state=0, stratify=data.target)
    return learn, digits, new, new_digits


_DEMOS = {"keras": _with_keras, "torch": _with_torch}
