/**
 * The order page: asks the server every few seconds what has changed and shows it, and opens links that carry a token.
 */
"use strict";

window.nexchange = window.nexchange || {};

nexchange.mountOrder = (page) => {
  const ASK_MS = 4000;
  const shown = {};
  let state = page.dataset.state;
  let timer = 0;

  const inUse = (part) =>
    part.contains(document.activeElement) && document.activeElement.matches("input")
    || [...part.querySelectorAll("input:not([type=hidden])")].some((input) => input.value !== input.defaultValue);

  /** Replace what differs; leave alone what a person is typing into, and keep opened details open. */
  function show(parts) {
    Object.entries(parts).forEach(([name, html]) => {
      const part = page.querySelector(`[data-part="${name}"]`);
      if (!part || shown[name] === html || inUse(part)) {
        return;
      }
      const open = [...part.querySelectorAll("details")].map((details) => details.open);
      part.innerHTML = html;
      part.querySelectorAll("details").forEach((details, index) => {
        details.open = details.open || Boolean(open[index]);
      });
      shown[name] = html;
    });
  }

  async function ask() {
    try {
      const answer = await fetch(page.dataset.liveUrl, { headers: { Accept: "application/json" } });
      if (!answer.ok) {
        throw new Error(`status ${answer.status}`);
      }
      const news = await answer.json();
      page.querySelector("[data-stale]").hidden = true;
      show(news.parts);
      nexchange.clocks.setNow(news.now);
      nexchange.clocks.tick();
      if (news.state !== state) {
        state = news.state;
        page.dataset.state = state;
        page.querySelector("[data-spoken]").textContent = news.spoken;
      }
      if (news.final) {
        page.dataset.final = "";
        return;
      }
    } catch (error) {
      page.querySelector("[data-stale]").hidden = false;
      console.warn(error);
    }
    timer = setTimeout(ask, ASK_MS);
  }

  if (page.dataset.final === undefined) {
    timer = setTimeout(ask, ASK_MS);
  }
  page.addEventListener("countdown:end", () => {
    if (page.dataset.final === undefined) {
      clearTimeout(timer);
      timer = setTimeout(ask, 0);
    }
  });
};

/** A link with `#token` opens the order: the token is posted once and leaves the address bar at once. */
nexchange.claimOrder = (page, place = window.location) => {
  const token = place.hash.slice(1);
  if (!token) {
    return false;
  }
  history.replaceState(null, "", place.pathname + place.search);
  const form = page.querySelector("form[data-claim]");
  if (!form) {
    return false;
  }
  form.elements.token.value = token;
  form.requestSubmit();
  return true;
};

document.querySelectorAll("[data-order]").forEach((page) => {
  if (!nexchange.claimOrder(page)) {
    nexchange.mountOrder(page);
  }
});
