// A gallery of any length: only the rows that are seen are in the page.
"use strict";

const tenfoldGallery = {
  // Ask for the first pictures while the page is still put together.
  ahead(name) {
    const place = tenfoldGallery.place(name, tenfoldGallery.given(), 0);
    tenfoldGallery.first = { place, answer: fetch(place) };
    tenfoldGallery.first.answer.catch(() => {});
  },

  // What the address of the page asks for.
  given() {
    const given = new URLSearchParams(location.search);
    return Object.fromEntries(["label", "split", "text", "near"].map((key) => [key, given.get(key) || ""]));
  },

  place(name, sought, number) {
    const given = { ...sought, offset: number * tenfoldGallery.PAGE, limit: tenfoldGallery.PAGE };
    if (!given.near) delete given.near;
    return `/console/gallery/${encodeURIComponent(name)}?${new URLSearchParams(given)}`;
  },

  begin(name, said) {
    const box = document.getElementById("gallery");
    if (!box) return;
    const g = { name, said, box, tall: box.firstElementChild, size: 0, active: 0, columns: 1, nodes: new Map(),
      pages: new Map(), seen: new Set(), sought: tenfoldGallery.given(), asked: 0, timer: 0 };
    tenfoldGallery.g = g;
    tenfoldGallery.filters(g);
    tenfoldGallery.keys(g);
    tenfoldGallery.viewer(g);
    box.addEventListener("scroll", () => tenfoldGallery.draw(g), { passive: true });
    new ResizeObserver(() => tenfoldGallery.measure(g)).observe(box);
    tenfoldGallery.seek(g);
  },

  PAGE: 120, CAPTION: 44, LEAST: 148, KEPT: 80, SETTLE_MS: 90,

  filters(g) {
    const field = document.getElementById("gallery-text");
    field.value = g.sought.text;
    let wait = 0;
    field.addEventListener("input", () => {
      clearTimeout(wait);
      wait = setTimeout(() => { g.sought.text = field.value.trim(); tenfoldGallery.seek(g); }, 250);
    });
    for (const one of document.querySelectorAll("[data-facet]"))
      one.addEventListener("click", () => {
        const { facet, value } = one.dataset;
        g.sought[facet] = g.sought[facet] === value ? "" : value;
        tenfoldGallery.seek(g);
      });
  },

  // Begin anew with what is sought now; the address says it too.
  async seek(g) {
    for (const one of document.querySelectorAll("[data-facet]"))
      one.setAttribute("aria-pressed", String(g.sought[one.dataset.facet] === one.dataset.value));
    const kept = Object.entries(g.sought).filter(([, value]) => value);
    const query = new URLSearchParams(kept).toString();
    history.replaceState(history.state, "", location.pathname + (query ? `?${query}` : ""));
    g.asked += 1;
    g.pages.clear();
    g.active = 0;
    g.box.scrollTop = 0;
    for (const node of g.nodes.values()) node.remove();
    g.nodes.clear();
    const asked = g.asked, first = await tenfoldGallery.page(g, 0);
    if (asked !== g.asked) return;
    document.getElementById("gallery-size").textContent =
      first ? g.said.found.replace("{count}", tenfoldGallery.count(g.size)) : g.said.silent;
    g.box.classList.toggle("nothing", !g.size);
    tenfoldGallery.measure(g);
    for (const node of g.nodes.values()) tenfoldGallery.load(g, node);
  },

  page(g, number) {
    const known = g.pages.get(number);
    if (known) return known;
    const place = tenfoldGallery.place(g.name, g.sought, number), asked = g.asked, { first } = tenfoldGallery;
    tenfoldGallery.first = null;
    const coming = (first && first.place === place ? first.answer : fetch(place))
      .then((answer) => { if (!answer.ok) throw new Error(answer.status); return answer.json(); })
      .then((told) => {
        if (asked !== g.asked) return null;
        g.size = told.size;
        coming.tiles = told.tiles;
        return told.tiles;
      })
      .catch(() => { if (g.pages.get(number) === coming) g.pages.delete(number); return null; });
    g.pages.set(number, coming);
    if (g.pages.size > tenfoldGallery.KEPT) {
      const far = (one) => Math.abs(one - number);
      g.pages.delete([...g.pages.keys()].reduce((a, b) => (far(b) > far(a) ? b : a)));
    }
    return coming;
  },

  tile(g, at) {
    const page = g.pages.get(Math.floor(at / tenfoldGallery.PAGE));
    return page && page.tiles && page.tiles[at % tenfoldGallery.PAGE];
  },

  measure(g) {
    const width = g.box.clientWidth;
    if (!width) return;
    const first = Math.floor(g.box.scrollTop / (g.high || 1)) * g.columns;
    g.columns = Math.max(2, Math.floor(width / tenfoldGallery.LEAST));
    g.wide = width / g.columns;
    g.high = Math.round(g.wide) + tenfoldGallery.CAPTION;
    g.tall.style.height = `${Math.ceil(g.size / g.columns) * g.high}px`;
    g.box.scrollTop = Math.floor(first / g.columns) * g.high;
    for (const [at, node] of g.nodes) tenfoldGallery.put(g, node, at);
    tenfoldGallery.draw(g);
  },

  put(g, node, at) {
    const row = Math.floor(at / g.columns), column = at % g.columns;
    node.style.cssText = `width:${g.wide}px;height:${g.high}px;` +
      `transform:translate(${column * g.wide}px,${row * g.high}px)`;
  },

  draw(g) {
    const top = Math.floor(g.box.scrollTop / g.high) - 1;
    const bottom = Math.ceil((g.box.scrollTop + g.box.clientHeight) / g.high) + 1;
    const from = Math.max(0, top * g.columns), to = Math.min(g.size, bottom * g.columns);
    for (const [at, node] of g.nodes)
      if (at < from || at >= to) { node.remove(); g.nodes.delete(at); }
    for (let at = from; at < to; at += 1) {
      let node = g.nodes.get(at);
      if (!node) {
        node = tenfoldGallery.blank(g, at);
        g.nodes.set(at, node);
        g.tall.append(node);
      }
      if (!node.dataset.sha) tenfoldGallery.fill(g, node, at);
    }
    clearTimeout(g.timer);
    g.timer = setTimeout(() => tenfoldGallery.settle(g, from, to), tenfoldGallery.SETTLE_MS);
  },

  // Ask for pages and pictures once the scrolling rests: what only flew by is not fetched.
  async settle(g, from, to) {
    for (const node of g.nodes.values()) tenfoldGallery.load(g, node);
    const last = Math.floor(Math.max(from, to - 1) / tenfoldGallery.PAGE), asked = g.asked;
    for (let number = Math.floor(from / tenfoldGallery.PAGE); number <= last; number += 1) {
      await tenfoldGallery.page(g, number);
      if (asked !== g.asked) return;
      for (const [at, node] of g.nodes)
        if (!node.dataset.sha && tenfoldGallery.fill(g, node, at)) tenfoldGallery.load(g, node);
    }
  },

  blank(g, at) {
    const node = document.createElement("div");
    node.className = "thumb";
    node.id = `tile-${at}`;
    node.setAttribute("role", "option");
    node.setAttribute("aria-setsize", g.size);
    node.setAttribute("aria-posinset", at + 1);
    node.setAttribute("aria-selected", String(at === g.active));
    node.innerHTML = '<span class="face"><img alt="" decoding="async"></span><b></b><small></small>';
    node.addEventListener("click", () => { tenfoldGallery.select(g, at); tenfoldGallery.open(g, at); });
    tenfoldGallery.put(g, node, at);
    return node;
  },

  fill(g, node, at) {
    const told = tenfoldGallery.tile(g, at);
    if (!told) return false;
    const labels = told.labels.join(", ") || g.said.unlabelled;
    const name = told.path.slice(told.path.lastIndexOf("/") + 1);
    node.dataset.sha = told.sha256;
    node.title = told.path;
    node.setAttribute("aria-label", `${labels}, ${told.path}`);
    node.children[1].textContent = labels;
    node.children[2].textContent = name;
    if (told.near) {  // what is alike has a dot of one colour
      node.classList.add("near");
      node.firstElementChild.style.setProperty("--hue", parseInt(told.near.slice(0, 4), 16) % 360);
    }
    if (g.seen.has(told.sha256)) tenfoldGallery.load(g, node);
    return true;
  },

  load(g, node) {
    const { sha } = node.dataset, picture = node.firstElementChild.firstElementChild;
    if (!sha || picture.src) return;
    picture.onload = () => g.seen.add(sha);
    picture.src = `/console/small/${sha}`;
  },

  select(g, at) {
    const before = g.nodes.get(g.active);
    if (before) before.setAttribute("aria-selected", "false");
    g.active = Math.max(0, Math.min(g.size - 1, at));
    const row = Math.floor(g.active / g.columns) * g.high;
    if (row < g.box.scrollTop) g.box.scrollTop = row;
    else if (row + g.high > g.box.scrollTop + g.box.clientHeight) g.box.scrollTop = row + g.high - g.box.clientHeight;
    tenfoldGallery.draw(g);
    const now = g.nodes.get(g.active);
    if (now) now.setAttribute("aria-selected", "true");
    g.box.setAttribute("aria-activedescendant", `tile-${g.active}`);
  },

  keys(g) {
    g.box.addEventListener("keydown", (event) => {
      if (!g.size || event.ctrlKey || event.altKey || event.metaKey) return;
      const rows = Math.max(1, Math.floor(g.box.clientHeight / g.high));
      const to = { ArrowLeft: g.active - 1, ArrowRight: g.active + 1, ArrowUp: g.active - g.columns,
        ArrowDown: g.active + g.columns, PageUp: g.active - rows * g.columns,
        PageDown: g.active + rows * g.columns, Home: 0, End: g.size - 1 }[event.key];
      if (event.key === "Enter" || event.key === " ") tenfoldGallery.open(g, g.active);
      else if (to === undefined) return;
      else tenfoldGallery.select(g, to);
      event.preventDefault();
    });
  },

  viewer(g) {
    const dialog = document.getElementById("picture");
    g.dialog = dialog;
    const go = (by) => {
      const to = g.active + by;
      if (to < 0 || to >= g.size) return;
      tenfoldGallery.select(g, to);
      tenfoldGallery.open(g, to);
    };
    dialog.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
      if (by) { event.preventDefault(); go(by); }
    });
    dialog.addEventListener("click", (event) => {
      const { act } = event.target.dataset;
      if (event.target === dialog || act === "close") dialog.close();
      if (act === "before") go(-1);
      if (act === "next") go(1);
    });
    dialog.addEventListener("close", () => g.box.focus({ preventScroll: true }));
  },

  async open(g, at) {
    const asked = g.asked;
    await tenfoldGallery.page(g, Math.floor(at / tenfoldGallery.PAGE));
    const told = tenfoldGallery.tile(g, at);
    if (!told || asked !== g.asked || at !== g.active) return;
    const put = (name, text) => { g.dialog.querySelector(`[data-fact=${name}]`).textContent = text; };
    const whole = g.dialog.querySelector("img");
    whole.onload = () => put("pixels", `${whole.naturalWidth} × ${whole.naturalHeight}`);
    whole.src = `/console/whole/${told.sha256}`;
    whole.alt = told.path;
    put("pixels", "…");
    put("labels", told.labels.join(", ") || g.said.unlabelled);
    put("path", told.path);
    put("split", told.split || "–");
    put("near", told.near ? g.said.hasNear : g.said.noNear);
    put("origin", g.said.origins[told.origin] || told.origin);
    put("sha", told.sha256.slice(0, 16));
    put("place", `${tenfoldGallery.count(at + 1)} / ${tenfoldGallery.count(g.size)}`);
    if (!g.dialog.open) g.dialog.showModal();
    for (const beside of [tenfoldGallery.tile(g, at + 1), tenfoldGallery.tile(g, at - 1)])
      if (beside) new Image().src = `/console/whole/${beside.sha256}`;
  },

  count: (number) => String(number).replace(/\B(?=(\d{3})+$)/g, "\u202f"),
};
