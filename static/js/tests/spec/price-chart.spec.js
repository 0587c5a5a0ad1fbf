describe("price chart", () => {
  let box;

  beforeEach(() => {
    loadFixtures("price-chart.html");
    box = document.querySelector("#chart");
  });

  it("draws exactly what was recorded", async () => {
    const fetched = answers.give({ at: [1767225600, 1767225660, 1767225720], price: ["35.01", "35.2", "34.999"] });
    const chart = await nexchange.mountPriceChart(box);

    expect(fetched.calls.first().args[0]).toBe("/en/history/?pair=ETHLTC");
    expect(chart.data).toEqual([[1767225600, 1767225660, 1767225720], [35.01, 35.2, 34.999]]);
    expect($(box).find("canvas")).toExist();
  });

  it("leaves the table to speak when the record cannot be read", async () => {
    spyOn(console, "warn");
    answers.give({ status: 500 });

    expect(await nexchange.mountPriceChart(box)).toBeNull();
    expect($(box).find("canvas")).not.toExist();
  });
});
