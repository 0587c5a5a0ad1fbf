describe("running times", () => {
  const text = (selector) => document.querySelector(selector).textContent;

  beforeEach(() => loadFixtures("clocks.html"));

  it("counts down by the server's time, not the customer's clock", () => {
    nexchange.clocks.setNow("2026-01-01T00:00:01+00:00");
    nexchange.clocks.tick();

    expect(text("#left")).toBe("19:59");
    expect($("#after")).toBeHidden();
  });

  it("turns into what happens next when the time is over", () => {
    nexchange.clocks.setNow("2026-01-01T00:20:01+00:00");
    nexchange.clocks.tick();

    expect(text("#left")).toBe("0:00");
    expect($("#after")).not.toBeHidden();
  });

  it("announces the end of one instant once, also when its element was replaced", () => {
    const instant = "2026-01-01T00:30:00+00:00";
    const ended = jasmine.createSpy("ended");
    document.querySelector("#left").dateTime = instant;
    document.addEventListener("countdown:end", ended);
    nexchange.clocks.setNow("2026-01-01T00:30:01+00:00");
    nexchange.clocks.tick();
    document.querySelector("#left").replaceWith(document.querySelector("#left").cloneNode());
    nexchange.clocks.tick();
    document.removeEventListener("countdown:end", ended);

    expect(ended).toHaveBeenCalledTimes(1);
  });

  it("tells the age of a price in seconds, then in minutes", () => {
    nexchange.clocks.setNow("2026-01-01T00:00:12+00:00");
    nexchange.clocks.tick();

    expect(text("#age")).toBe("12 s ago");
    nexchange.clocks.setNow("2026-01-01T00:03:59+00:00");
    nexchange.clocks.tick();

    expect(text("#age")).toBe("3 min ago");
  });
});
