// What the browser itself must do: send forms to the hub's API, uploads in pieces, and keep keys quick.
"use strict";

const tenfold = {
  async signOut(csrf) {
    await fetch("/api/sign-out", { method: "POST", headers: { "X-CSRF-Token": csrf } });
    location.href = "/sign-in";
  },

  door(silent) {
    const form = document.getElementById("door");
    if (!form) return;
    form.querySelector("input").focus();
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const { kind, token } = form.dataset;
      const told = { name: form.elements.name.value, password: form.elements.password.value };
      if (kind === "first") told.token = token;
      const wrong = form.querySelector(".wrong");
      wrong.textContent = "";
      try {
        const answer = await fetch(kind === "first" ? "/first" : "/api/sign-in", {
          method: "POST",
          headers: { "Content-Type": "application/json" },
          body: JSON.stringify(told),
        });
        if (answer.ok) {
          const next = new URLSearchParams(location.search).get("next") || "/";
          location.href = next.startsWith("/") && !next.startsWith("//") ? next : "/";
          return;
        }
        wrong.textContent = (await answer.json()).error;
      } catch {
        wrong.textContent = silent;
      }
    });
  },
};
