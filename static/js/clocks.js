/**
 * Running times: `data-countdown` counts down to an instant, `data-age` says how long ago one was.
 *
 * The page says what time it is at the server (`data-now` anywhere on it), because a customer's clock may be wrong.
 * When a countdown ends, the element named by `data-after` is shown and a
 * `countdown:end` event is sent, once per instant.
 */
"use strict";

window.nexchange = window.nexchange || {};

nexchange.clocks = (() => {
  const ended = new Set(); // instants already announced, also when their element was replaced meanwhile
  let aheadMs = 0;

  /** Take the server's time; called again whenever the server says something newer. */
  function setNow(serverNow) {
    const now = Date.parse(serverNow);
    if (!Number.isNaN(now)) {
      aheadMs = now - Date.now();
    }
  }

  const now = () => Date.now() + aheadMs;

  function spell(leftMs) {
    const seconds = Math.max(Math.ceil(leftMs / 1000), 0);
    return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  }

  function countDown(time) {
    const leftMs = Date.parse(time.dateTime) - now();
    time.textContent = spell(leftMs);
    if (leftMs > 0) {
      return;
    }
    const after = time.dataset.after && document.querySelector(time.dataset.after);
    if (after) {
      after.hidden = false;
    }
    if (ended.has(time.dateTime)) {
      return;
    }
    ended.add(time.dateTime);
    time.dispatchEvent(new CustomEvent("countdown:end", { bubbles: true }));
  }

  function tellAge(time) {
    const seconds = Math.max(Math.round((now() - Date.parse(time.dateTime)) / 1000), 0);
    const minutes = Math.floor(seconds / 60);
    time.textContent = minutes
      ? time.dataset.minutes.replace("{n}", minutes)
      : time.dataset.seconds.replace("{n}", seconds);
  }

  function tick() {
    document.querySelectorAll("time[data-countdown]").forEach(countDown);
    document.querySelectorAll("time[data-age]").forEach(tellAge);
  }

  document.documentElement.classList.add("has-js");
  const stamped = document.querySelector("[data-now]");
  setNow(stamped && stamped.dataset.now);
  tick();
  setInterval(tick, 1000);

  return { setNow, tick };
})();
