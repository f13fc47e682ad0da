// A gallery of any length: only the rows that can be seen are in the page.
"use strict";

function tenfoldGallery(name, said) {
  const TILE = 168, GAP = 8, PAGE = 200, AROUND = 2;
  const box = document.getElementById("gallery");
  const form = document.getElementById("filters");
  const found = document.getElementById("found");
  const tall = box.appendChild(document.createElement("div"));
  tall.className = "tall";
  let pages = new Map(), size = 0, asked = 0, drawn = new Map(), chosen = -1;

  const columns = () => Math.max(1, Math.floor((box.clientWidth - 2 * GAP + GAP) / (TILE + GAP)));
  const address = (offset) => {
    const told = new URLSearchParams();
    for (const [key, value] of new FormData(form)) if (value) told.set(key, value);
    told.set("offset", offset);
    told.set("limit", PAGE);
    return `/console/gallery/${encodeURIComponent(name)}?${told}`;
  };

  async function page(number) {
    if (pages.has(number)) return pages.get(number);
    const now = asked;
    const coming = fetch(address(number * PAGE)).then(async (answer) => {
      const told = await answer.json();
      if (now !== asked) return [];
      if (!answer.ok) { found.textContent = told.error; return []; }
      if (told.size !== size || number === 0) { size = told.size; measure(); }
      pages.set(number, told.tiles);
      return told.tiles;
    });
    pages.set(number, coming);
    return coming;
  }

  function measure() {
    tall.style.height = `${Math.ceil(size / columns()) * (TILE + GAP)}px`;
    found.textContent = size ? said.found.replace("{count}", size.toLocaleString("en").replaceAll(",", "\u202f")) : said.none;
  }

  async function draw() {
    const many = columns(), step = TILE + GAP;
    const first = Math.max(0, Math.floor(box.scrollTop / step) - AROUND) * many;
    const last = Math.min(size, (Math.ceil((box.scrollTop + box.clientHeight) / step) + AROUND) * many);
    for (const [place, tile] of drawn) if (place < first || place >= last) { tile.remove(); drawn.delete(place); }
    for (let number = Math.floor(first / PAGE); number * PAGE < last; number++) {
      const now = asked, tiles = await page(number);
      if (now !== asked) return;
      tiles.forEach((told, at) => {
        const place = number * PAGE + at;
        if (place >= first && place < last && !drawn.has(place)) drawn.set(place, tile(told, place, many, step));
      });
    }
  }

  function tile(told, place, many, step) {
    const made = document.createElement("button");
    made.type = "button";
    made.className = "tile";
    made.setAttribute("role", "listitem");
    made.style.transform = `translate(${(place % many) * step}px, ${Math.floor(place / many) * step}px)`;
    const picture = made.appendChild(document.createElement("img"));
    picture.src = `/console/small/${told.sha256}`;
    picture.alt = told.path;
    const under = made.appendChild(document.createElement("span"));
    under.textContent = told.labels.join(", ") || told.path;
    made.title = told.path;
    made.addEventListener("click", () => show(place));
    tall.appendChild(made);
    return made;
  }

  const large = document.createElement("dialog");
  large.className = "large";
  document.body.appendChild(large);
  async function show(place) {
    const told = (await page(Math.floor(place / PAGE)))[place % PAGE];
    if (!told) return;
    chosen = place;
    large.replaceChildren();
    const picture = large.appendChild(document.createElement("img"));
    picture.src = `/console/whole/${told.sha256}`;
    picture.alt = told.path;
    const facts = large.appendChild(document.createElement("p"));
    facts.textContent = [told.path, told.labels.join(", "), told.split].filter(Boolean).join(" · ");
    const close = large.appendChild(document.createElement("button"));
    close.type = "button"; close.className = "button"; close.textContent = said.close;
    close.addEventListener("click", () => large.close());
    if (!large.open) large.showModal();
  }
  large.addEventListener("keydown", (event) => {
    if (event.key === "ArrowRight" && chosen + 1 < size) show(chosen + 1);
    if (event.key === "ArrowLeft" && chosen > 0) show(chosen - 1);
  });

  function again() {
    asked += 1; pages = new Map(); size = 0;
    for (const tile of drawn.values()) tile.remove();
    drawn = new Map();
    box.scrollTop = 0;
    page(0).then(draw);
  }
  let waiting = 0, framed = 0;
  form.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(again, 200); });
  form.addEventListener("submit", (event) => event.preventDefault());
  box.addEventListener("scroll", () => { if (!framed) framed = requestAnimationFrame(() => { framed = 0; draw(); }); });
  new ResizeObserver(() => { if (!size) return; measure(); for (const it of drawn.values()) it.remove(); drawn.clear(); draw(); }).observe(box);
  again();
}
