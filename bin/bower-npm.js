/**
 * Lets bower take packages from node_modules, so that `npm ci` with its lock file is the only download.
 *
 * bower.json names a package as `npm:NAME#VERSION`; the version must be the installed one, which package.json pins.
 * Only the files listed in KEPT leave node_modules: what a page or a spec loads, and the licence.
 */
"use strict";

const fs = require("fs");
const os = require("os");
const path = require("path");

const MODULES = path.join(__dirname, "..", "node_modules");
const KEPT = {
  "uplot": ["dist/uPlot.iife.min.js", "dist/uPlot.min.css", "LICENSE"],
  "jquery": ["dist/jquery.js", "LICENSE.txt"],
  "jasmine-jquery": ["lib/jasmine-jquery.js", "LICENSE"],
};

function readManifest(name) {
  const file = path.join(MODULES, name, "package.json");
  if (!fs.existsSync(file)) {
    throw new Error(`${name} is not in node_modules: run npm ci first`);
  }
  return JSON.parse(fs.readFileSync(file, "utf8"));
}

module.exports = function resolver() {
  const toName = (source) => source.slice("npm:".length);

  return {
    match: (source) => source.startsWith("npm:"),

    releases: (source) => {
      const { version } = readManifest(toName(source));
      return [{ target: version, version }];
    },

    fetch: (endpoint) => {
      const name = toName(endpoint.source);
      const { version } = readManifest(name);
      if (version !== endpoint.target) {
        throw new Error(`bower.json wants ${name} ${endpoint.target}, package.json installed ${version}`);
      }
      const tempPath = fs.mkdtempSync(path.join(os.tmpdir(), "bower-npm-"));
      for (const file of KEPT[name] || []) {
        fs.mkdirSync(path.dirname(path.join(tempPath, file)), { recursive: true });
        fs.copyFileSync(path.join(MODULES, name, file), path.join(tempPath, file));
      }
      // A manifest without dependencies: bower.json names every package itself, nothing comes along unseen.
      const main = (KEPT[name] || []).filter((file) => /(?<!\.min)\.(js|css)$/.test(file));
      fs.writeFileSync(path.join(tempPath, "bower.json"), JSON.stringify({ name, version, main }));
      return { tempPath, removeIgnores: false };
    },
  };
};
