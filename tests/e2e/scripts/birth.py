"""The script that Agnez was born with: two cells, made and patched by anyone who can send JSON."""

import json
import sys
import urllib.request

import matplotlib.pyplot as plt
import mpld3
import numpy as np

url = sys.argv[1]


def send(method, path, record):
    body = json.dumps(record).encode()
    request = urllib.request.Request(url + path, body, {"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(request) as answer:
        return answer.status, json.load(answer)


status, figure = send("POST", "/values", {"name": "", "type": "html", "value": [], "pos": 0, "description": ""})
assert status == 201
status, image = send("POST", "/values", {"name": "", "type": "img", "value": [], "pos": 1, "description": ""})
assert status == 201
print(figure["_id"], image["_id"])
for step in range(3):
    input()
    fig = plt.figure()
    plt.plot(np.random.random(10), label=f"draw {step}")
    plt.title(f"draw {step}")
    html = mpld3.fig_to_html(fig)
    plt.close(fig)
    record = {"name": "random", "type": "html", "value": html, "pos": 0, "description": f"draw {step}"}
    send("PATCH", "/values/" + figure["_id"], record)
    record = {"name": "image", "type": "img", "value": "./images/main_img.gif", "pos": 1, "description": f"{step}"}
    send("PATCH", "/values/" + image["_id"], record)
    print("patched", step)
