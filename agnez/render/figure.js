// Draws the figure whose description stands in the element `<id>-spec`; colours follow the theme by CSS alone.
window.agnezFigure = window.agnezFigure || (function () {
  "use strict";

  // Lay one of our figures out anew for a size: margins and letters keep their pixels, the axes take the rest.
  // `wider` is what the left margin needs beyond its own for the numbers of y.
  function refit(spec, width, height, wider) {
    for (const axes of spec.axes) refitAxes(spec, axes, width, height, wider);
    return Object.assign(spec, { width, height });
  }

  function refitAxes(spec, axes, width, height, wider) {
    const [left, bottom, share, rise] = axes.bbox;
    const old = { x: share * spec.width, y: rise * spec.height };
    const size = { x: Math.max(60, width - spec.width + old.x - wider), y: Math.max(40, height - spec.height + old.y) };
    axes.bbox = [(left * spec.width + wider) / width, bottom * spec.height / height, size.x / width, size.y / height];

    // Title, legend and names stand in shares of the axes, but are meant in pixels from their edges.
    function moved([x, y], anchored) {
      const edge = y > 1 ? 1 : 0;
      return [anchored ? (x * old.x - wider) / size.x : x, y > 1 || y < 0 ? edge + (y - edge) * old.y / size.y : y];
    }
    for (const text of axes.texts) {
      if (text.coordinates === "axes") text.position = moved(text.position, text.h_anchor === "start");
    }
    for (const line of [...axes.lines, ...axes.markers]) {
      if (line.coordinates !== "axes") continue;
      const rows = spec.data[line.data].map((row) => moved([row[line.xindex], row[line.yindex]], true));
      Object.assign(line, { data: rows, xindex: 0, yindex: 1 });
    }
    axes.paths = axes.paths.filter((path) => path.coordinates !== "axes");
  }

  function room(div, spec) {
    const width = Math.max(220, div.clientWidth || spec.width);
    const framed = window.parent !== window;
    const height = framed ? window.innerHeight - Math.max(0, div.offsetTop) : Math.min(340, width * spec.height / spec.width);
    return [width, Math.max(120, Math.floor(height))];
  }

  // Index of the row whose x is nearest; rows are sorted by x.
  function nearest(rows, column, x) {
    const at = d3.bisector((row) => row[column]).left(rows, x);
    if (at === 0) return 0;
    return at === rows.length || x - rows[at - 1][column] <= rows[at][column] - x ? at - 1 : at;
  }

  function define(mpld3) {
    if (mpld3.plugin_map["agnez-cursor"]) return;

    // Markers keep their size under zoom.
    mpld3.Markers.prototype.zoomed = function (transform) {
      if (!transform || !this.offsetcoords.zoomable) return;
      this.pathsobj.attr("transform", (d, i) => this.transformFunc(d, i) + "scale(" + 1 / transform.k + ")");
    };

    class Cursor extends mpld3.Plugin {
      constructor(fig, props) {
        super(fig, props);
        this.transform = d3.zoomIdentity;
      }

      draw() {
        const title = mpld3.get_element(this.props.title, this.fig);
        if (title) title.obj.classed("agnez-title", true);
        this.embolden();
        this.ax = this.fig.axes[0];
        this.lines = this.props.ids.map((id, i) => ({ element: mpld3.get_element(id, this.fig), label: this.props.labels[i] }))
          .filter((line) => line.element && line.element.data && line.element.data.length);
        this.mark = this.ax.axes.append("g").style("visibility", "hidden").style("pointer-events", "none");
        this.mark.append("line").attr("class", "agnez-rule").attr("y2", this.ax.height);
        this.tip = this.fig.root.append("div").attr("class", "agnez-tip");
        const zoomed = (transform) => { this.transform = transform || d3.zoomIdentity; this.hide(); };
        this.ax.elements.push({ props: {}, zoomed });
        const node = this.ax.axes.node();
        this.ax.axes.on("mousemove.agnez", () => this.show(d3.mouse(node)[0])).on("mouseleave.agnez", () => this.hide());
      }

      // The legend's values, in bold behind their labels.
      embolden() {
        for (const [id, label, value] of this.props.values) {
          const text = mpld3.get_element(id, this.fig);
          if (!text || !value) continue;
          text.obj.text(label + "\u2002").append("tspan").attr("class", "agnez-value").text(value);
        }
      }

      hide() {
        this.mark.style("visibility", "hidden");
        this.tip.style("visibility", "hidden");
      }

      // The points under the pointer: of each line its nearest, if that is about as near as the nearest of all.
      pick(pixel) {
        const x = this.ax.x.invert(this.transform.invertX(pixel));
        const found = this.lines.map((line) => {
          const { data, props } = line.element;
          const row = data[nearest(data, props.xindex, x)];
          const at = this.transform.applyX(this.ax.x(row[props.xindex]));
          return { line, x: row[props.xindex], y: row[props.yindex], at, far: Math.abs(at - pixel) };
        });
        const near = Math.min(...found.map((point) => point.far));
        return found.filter((point) => point.far <= near + 6).sort((a, b) => a.far - b.far);
      }

      show(pixel) {
        const points = this.pick(pixel);
        if (!points.length) return;
        this.mark.style("visibility", "visible").select("line").attr("x1", points[0].at).attr("x2", points[0].at);
        this.mark.selectAll("circle").remove();
        this.mark.selectAll(null).data(points.filter((point) => isFinite(point.y))).enter().append("circle")
          .attr("class", "agnez-dot").attr("r", 4).attr("cx", (point) => point.at)
          .attr("cy", (point) => this.transform.applyY(this.ax.y(point.y)))
          .style("fill", (point) => point.line.element.props.edgecolor);
        this.write(points);
        this.place(points[0].at);
      }

      write(points) {
        const order = [...points].sort((a, b) => (isFinite(b.y) ? b.y : -Infinity) - (isFinite(a.y) ? a.y : -Infinity)).slice(0, 12);
        this.tip.selectAll("*").remove();
        this.tip.append("div").text(this.props.xlabel + " " + this.number(points[0].x));
        const rows = this.tip.selectAll(null).data(order).enter().append("div").attr("class", "agnez-tip-row");
        rows.append("i").style("border-color", (point) => point.line.element.props.edgecolor)
          .style("border-top-style", (point) => point.line.element.props.dasharray === "none" ? "solid" : "dashed")
          .style("opacity", (point) => Math.max(0.4, point.line.element.props.alpha));
        rows.append("span").text((point) => point.line.label);
        rows.append("b").text((point) => this.value(point.y));
      }

      place(at) {
        const svg = this.fig.canvas.node().getBoundingClientRect();
        const scale = svg.width / this.fig.width;
        const tip = this.tip.node();
        const x = (this.ax.position[0] + at) * scale;
        const left = x + 12 + tip.offsetWidth > svg.width ? x - 12 - tip.offsetWidth : x + 12;
        this.tip.style("left", Math.max(0, left) + "px").style("top", this.ax.position[1] * scale + "px").style("visibility", "visible");
      }

      number(value) { return Number.isInteger(value) ? String(value) : d3.format(".4~g")(value); }

      value(value) {
        if (!isFinite(value)) return String(value);
        return this.props.percent ? d3.format(".2~f")(value * 100) + " %" : d3.format(".4~g")(value);
      }
    }
    Cursor.prototype.requiredProps = ["ids", "labels"];
    Cursor.prototype.defaultProps = { title: null, values: [], xlabel: "", percent: false };
    mpld3.register_plugin("agnez-cursor", Cursor);
  }

  // Before drawing: mpld3 counts a grid's lines, but not the ticks of its axis.
  function countTicks(figure) {
    for (const axes of figure.axes) {
      for (const axis of axes.axisList) if (!axis.props.tickvalues) axis.tickNr = axis.props.nticks;
    }
  }

  // After drawing: grids go behind the curves, our buttons to the corner where nothing else is.
  function settle(figure, own) {
    for (const axes of figure.axes) {
      const curves = axes.pathsContainer.node();
      axes.axes.selectAll(".mpld3-xgrid, .mpld3-ygrid").each(function () { curves.parentNode.insertBefore(this, curves); });
    }
    figure.canvas.attr("viewBox", "0 0 " + figure.width + " " + figure.height);
    if (own) figure.toolbar.toolbar.attr("x", figure.width - 56).attr("y", 4);
  }

  // mpld3 adds rules to the head with every drawing; hand back those of this one, to be removed with it.
  function drawn(id, spec, own) {
    const before = new Set(document.head.querySelectorAll("style"));
    const figure = mpld3.draw_figure(id, spec, countTicks, true);
    settle(figure, own);
    return { figure, rules: [...document.head.querySelectorAll("style")].filter((rule) => !before.has(rule)) };
  }

  // How many pixels the numbers of y lack.
  function lacking(figure) {
    const widths = [...figure.canvas.node().querySelectorAll(".mpld3-yaxis text")].map((text) => text.getBBox().width);
    return Math.max(0, Math.ceil(Math.max(0, ...widths) + 11 - figure.axes[0].position[0]));
  }

  // What the user has set of a drawing: what each axes was zoomed to and from, and the buttons that are pressed.
  function setting(figure, limits) {
    const axes = figure.axes.map((ax, i) => ({ moved: ax.lastTransform, width: ax.width, height: ax.height, limits: limits[i] }));
    const zoomed = axes.some(({ moved }) => moved.k !== 1 || moved.x !== 0 || moved.y !== 0);
    return { axes: zoomed ? axes : null, pressed: figure.toolbar.buttons.filter((each) => each.active).map((each) => each.cssclass) };
  }

  const LIMITS = ["xlim", "ylim", "xdomain", "ydomain"];
  function limitsOf(spec) {
    return spec.axes.map((axes) => Object.fromEntries(LIMITS.filter((name) => name in axes).map((name) => [name, [...axes[name]]])));
  }

  // Hold the limits that were zoomed from, so that the same transform shows the same part of the axes, exactly.
  function hold(spec, zoomed) {
    if (zoomed) spec.axes.forEach((axes, i) => Object.assign(axes, zoomed[i].limits));
  }

  function restore(figure, { axes, pressed }) {
    figure.toolbar.buttons.filter((each) => pressed.includes(each.cssclass) && !each.active).forEach((each) => each.activate());
    if (!axes) return;
    figure.axes.forEach((ax, i) => {
      const { moved, width, height } = axes[i];
      show(ax, d3.zoomIdentity.translate(moved.x * ax.width / width, moved.y * ax.height / height).scale(moved.k));
    });
  }

  function show(ax, transform) {
    ax.bindZoom();
    ax.doZoom(false, transform, 0);
    if (!ax.isSomeTypeOfZoomEnabled()) ax.unbindZoom();
  }

  const ALONG = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
  const CLOSER = { "+": 1.25, "=": 1.25, "-": 0.8 };

  // Whether a key is for something else: what a user's plugin brought may have fields of its own.
  function isTaken(event) {
    return event.defaultPrevented || event.target.closest("input, select, textarea, [contenteditable]") !== null;
  }

  // What a key shows of an axes: arrows go along by a tenth, + and - come closer and go back, 0 shows all.
  function byKey(key, { lastTransform: { k, x, y }, width, height }) {
    if (key === "0" || key === "Home") return d3.zoomIdentity;
    if (key in ALONG) return d3.zoomIdentity.translate(x + ALONG[key][0] * width / 10, y + ALONG[key][1] * height / 10).scale(k);
    const closer = CLOSER[key];
    return closer && d3.zoomIdentity.translate(width / 2 - closer * (width / 2 - x), height / 2 - closer * (height / 2 - y)).scale(closer * k);
  }

  // Whether limits are numbers alone; those of dates are not.
  function isPlain({ xlim, ylim, xdomain, ydomain }) {
    return String(xlim) === String(xdomain) && String(ylim) === String(ydomain);
  }

  // Whether what axes were zoomed to can be that of others.
  function suits(kept, axes) {
    return kept.length === axes.length && kept.every(({ limits }, i) => isPlain(limits) === isPlain(axes[i]));
  }

  // The same for whoever keeps it, and back: of each axes how close, how far moved (in shares of its size), and the
  // limits that this is of. Null where all is shown, and of dates.
  function numbersOf(figure, limits) {
    const { axes } = setting(figure, limits);
    if (!axes || !axes.every(({ limits }) => isPlain(limits))) return null;
    const rounded = (number) => Number(number.toPrecision(9)); // what is shown by these says the same again
    return axes.map(({ moved: { k, x, y }, width, height, limits: { xlim, ylim } }) => [...[k, x / width, y / height].map(rounded), ...xlim, ...ylim]);
  }

  function settingOf(numbers) {
    return numbers && numbers.map(([k, x, y, left, right, bottom, top]) => {
      const [across, up] = [[left, right], [bottom, top]];
      return { moved: { k, x, y }, width: 1, height: 1, limits: { xlim: across, ylim: up, xdomain: across, ydomain: up } };
    });
  }

  return function agnezFigure(id, plugins, lasting) {
    const div = document.getElementById(id);
    let source = document.getElementById(id + "-spec").textContent;
    let own = div.classList.contains("agnez-own");
    let size = null; // that was drawn for: a user's own figure has none, and "" stands for that
    let rules = [];
    let figure = null;
    let limits = [];
    let held = false;
    let pressing = false;
    let waiting = null;
    let telling = 0;

    function draw(wider, kept = figure && setting(figure, limits)) {
      const spec = JSON.parse(source);
      const fit = own ? [...room(div, spec), wider] : [];
      if (rules.length && size === String(fit)) return;
      size = String(fit);
      rules.forEach((rule) => rule.remove());
      const zoomed = kept && kept.axes && suits(kept.axes, spec.axes) ? kept.axes : null;
      hold(spec, zoomed);
      held = Boolean(zoomed);
      limits = limitsOf(spec);
      const done = drawn(id, own ? refit(spec, ...fit) : spec, own);
      rules = done.rules;
      figure = done.figure;
      const more = own ? lacking(figure) : 0;
      if (more && !wider) return draw(more, kept);
      if (kept) restore(figure, { axes: zoomed, pressed: kept.pressed });
      figure.axes.forEach((ax) => ax.elements.push({ props: {}, zoomed: released }));
    }

    // Limits that were held for the sake of a zoom are let go with it.
    function released(transform) {
      if (lasting && !telling) telling = setTimeout(tell, 100);
      if (!held || transform.k !== 1 || transform.x !== 0 || transform.y !== 0) return;
      held = false;
      setTimeout(() => anew(0), 60);
    }

    function tell() {
      telling = 0;
      parent.postMessage({ agnez: "zoom", axes: numbersOf(figure, limits) }, "*");
    }

    function anew() {
      size = null;
      draw(0);
    }

    // Show what was kept of an earlier drawing, of this document or of another.
    function zoomTo(numbers) {
      size = null;
      draw(0, { axes: settingOf(numbers), pressed: setting(figure, limits).pressed });
    }

    // Show another figure in the place of this one. A hand that is at it is not disturbed.
    function take(next) {
      if (pressing) { waiting = next; return; }
      source = JSON.stringify(next.spec);
      own = next.own === true;
      div.classList.toggle("agnez-own", own);
      div.setAttribute("aria-label", next.label);
      div.style.background = next.background;
      anew();
      parent.postMessage({ agnez: "drawn", version: next.version }, "*");
    }

    function press(event) {
      if (event.ctrlKey || event.metaKey || event.altKey || isTaken(event)) return;
      const wanted = figure.axes.map((ax) => byKey(event.key, ax));
      if (!wanted[0]) return;
      event.preventDefault();
      figure.axes.forEach((ax, i) => show(ax, wanted[i]));
    }

    define(mpld3);
    plugins(mpld3);
    draw(0);
    div.tabIndex = 0;
    div.setAttribute("aria-description", "Arrows move along, + and - zoom, 0 shows all");
    div.addEventListener("keydown", press);
    window.addEventListener("resize", () => requestAnimationFrame(() => own && draw(0)));
    if (!lasting) return;
    // The page takes back what was zoomed here, and hears no keys that are pressed here.
    window.addEventListener("keydown", (event) => {
      if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "z" || isTaken(event)) return;
      event.preventDefault();
      parent.postMessage({ agnez: event.shiftKey ? "redo" : "undo" }, "*");
    });
    window.addEventListener("pointerdown", () => { pressing = true; }, true);
    for (const name of ["pointerup", "pointercancel", "blur"]) {
      window.addEventListener(name, () => {
        pressing = false;
        const next = waiting;
        waiting = null;
        if (next) setTimeout(() => take(next), 0);
      }, true);
    }
    window.addEventListener("message", (event) => {
      if (event.source !== parent || !event.data) return;
      if (event.data.agnez === "figure") take(event.data);
      if (event.data.agnez === "zoom") zoomTo(event.data.axes);
    });
    parent.postMessage({ agnez: "lasting" }, "*");
  };
})();
