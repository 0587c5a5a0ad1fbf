/**
 * `npm run-script test`: the page scripts under Jasmine, in the system's Chromium.
 *
 * The third-party files below are the packages of bower.json, no more and no less; a test compares the two.
 */
"use strict";

process.env.CHROME_BIN = process.env.CHROME_BIN || "/usr/bin/chromium";

/** Prints each failure and, as the last line, the counts that people and CI read. */
function ClosingLineReporter(baseReporterDecorator) {
  baseReporterDecorator(this);
  this.onRunComplete = (browsers, results) => {
    // A browser that never reports is a failure too, although no spec failed.
    const broken = results.error && !results.failed ? 1 : 0;
    this.write(`\n${results.success} passed, ${results.failed + broken} failed\n`);
  };
}
ClosingLineReporter.$inject = ["baseReporterDecorator"];

module.exports = (config) => {
  config.set({
    basePath: "",
    frameworks: ["jasmine"],
    plugins: [
      "karma-jasmine",
      "karma-chrome-launcher",
      { "reporter:closing-line": ["type", ClosingLineReporter] },
    ],
    files: [
      "static/vendor/jquery/dist/jquery.js",
      "static/js/tests/jasmine-jquery-shim.js",
      "static/vendor/jasmine-jquery/lib/jasmine-jquery.js",
      "static/vendor/uplot/dist/uPlot.iife.min.js",
      "static/js/tests/answers.js",
      "static/js/*.js",
      "static/js/tests/spec/*.js",
      { pattern: "static/js/tests/fixtures/*.html", included: false, served: true },
    ],
    reporters: ["closing-line"],
    client: { jasmine: { random: true, failSpecWithNoExpectations: true } },
    failOnEmptyTestSuite: true,
    browsers: ["LocalChromium"],
    customLaunchers: {
      LocalChromium: {
        base: "ChromeHeadless",
        flags: [
          "--no-sandbox",
          "--disable-gpu",
          "--disable-dev-shm-usage",
          "--disable-background-networking",
          "--disable-component-update",
          "--disable-sync",
          "--no-first-run",
          "--no-proxy-server",
        ],
      },
    },
    hostname: "127.0.0.1",
    listenAddress: "127.0.0.1",
    autoWatch: false,
    singleRun: true,
    logLevel: config.LOG_WARN,
  });
};
