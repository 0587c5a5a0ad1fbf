/**
 * What jasmine-jquery 2.1 still expects of Jasmine 2 and jQuery 2, and where its HTML fixtures are.
 */
"use strict";

jasmine.util.argsToArray = (args) => Array.from(args);
jasmine.pp = (value) => jasmine.makePrettyPrinter()(value);
jQuery.trim = (text) => String(text).trim();

beforeAll(() => {
  jasmine.getFixtures().fixturesPath = "base/static/js/tests/fixtures";
});
