"""A user's script: a PyTorch loop on scikit-learn's digits, and a hook."""

import json
import sys
import time

import torch
from sklearn.datasets import load_digits

import agnez

torch.manual_seed(0)
images, labels = (torch.tensor(each) for each in load_digits(return_X_y=True))
images = images.float().reshape(-1, 1, 8, 8) / 16
model = torch.nn.Sequential(
    torch.nn.Conv2d(1, 16, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(16 * 36, 10)
)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
criterion = torch.nn.CrossEntropyLoss()
run = agnez.init("digits", port=int(sys.argv[1]))
agnez.watch(model, optimizer)
print("ready")
input()
for epoch in range(6):
    for batch in torch.randperm(len(images)).split(32):
        optimizer.zero_grad()
        output = model(images[batch])
        loss = criterion(output, labels[batch])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        accuracy = (output.argmax(1) == labels[batch]).float().mean()
        time.sleep(0.01)  # slow data, so that the page has something to follow
        run.log({"epoch": epoch, "loss": loss, "accuracy": accuracy})
run.finish()
print(json.dumps({"loss": loss.item(), "accuracy": accuracy.item()}))
input()
