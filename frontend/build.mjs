// Builds frontend/dist/ui from our styles and scripts, the icons named in icons.json and the two font families.
// Run by frontend/setup.py; `npm run build` does the same. Output names are plain: Django's manifest storage hashes them.
import { build } from "esbuild";
import { chmod, cp, mkdir, mkdtemp, readFile, readdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const modules = join(here, "..", "node_modules");
const browsers = ["chrome123", "firefox125", "safari17.5"]; // The first with light-dark(), nesting and popover.

/** Bundle the style sheet and the two scripts into `out`. */
async function bundle(out) {
  const common = { bundle: true, minify: true, charset: "utf8", logLevel: "warning", target: browsers };
  await Promise.all([
    build({ ...common, entryPoints: [join(here, "styles/app.css")], outfile: join(out, "app.css"), external: ["*.woff2"] }),
    build({ ...common, entryPoints: [join(here, "scripts/app.js")], outfile: join(out, "app.js"), format: "esm" }),
    build({ ...common, entryPoints: [join(here, "scripts/theme.js")], outfile: join(out, "theme.js"), format: "iife" }),
  ]);
}

/** One lucide icon file as a <symbol>; throws with the name when lucide has no such icon. */
async function symbol(name) {
  const path = join(modules, "lucide-static/icons", `${name}.svg`);
  const svg = await readFile(path, "utf8").catch(() => {
    throw new Error(`frontend/icons.json names "${name}", which lucide-static does not have`);
  });
  const shapes = svg.slice(svg.indexOf(">", svg.indexOf("<svg")) + 1, svg.lastIndexOf("</svg>"));
  return `<symbol id="${name}" viewBox="0 0 24 24">${shapes.replace(/\s+/g, " ").replace(/> </g, "><").trim()}</symbol>`;
}

/** The sprite that templates/components/icon.html points into. */
async function sprite(out) {
  const names = JSON.parse(await readFile(join(here, "icons.json"), "utf8"));
  const symbols = await Promise.all(names.map(symbol));
  await writeFile(join(out, "icons.svg"), `<svg xmlns="http://www.w3.org/2000/svg">${symbols.join("")}</svg>\n`);
  return names.length;
}

/** Latin and Latin-extended faces; other scripts fall back to the system's fonts. */
async function fonts(out) {
  await mkdir(join(out, "fonts"));
  for (const family of ["inter", "jetbrains-mono"]) {
    for (const range of ["latin", "latin-ext"]) {
      const file = `${family}-${range}-wght-normal.woff2`;
      await cp(join(modules, "@fontsource-variable", family, "files", file), join(out, "fonts", file));
    }
  }
}

/** The licence texts of what the browser is given, in one file beside it. */
async function legal(out) {
  const manifest = JSON.parse(await readFile(join(here, "..", "package.json"), "utf8"));
  const parts = [];
  for (const name of Object.keys(manifest.dependencies).sort()) {
    const folder = join(modules, name);
    const { version, license } = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
    const file = (await readdir(folder)).find((entry) => /^licen[cs]e/i.test(entry));
    if (!file) throw new Error(`${name} carries no licence file`);
    parts.push(`${name} ${version} (${license})\n\n${(await readFile(join(folder, file), "utf8")).trim()}\n`);
  }
  await writeFile(join(out, "LEGAL.txt"), parts.join(`\n${"-".repeat(100)}\n\n`));
}

// Built elsewhere (ignored by git) and swapped in at the end: a server that runs meanwhile never sees half a build.
const staging = await mkdtemp(join(modules, ".ircase-build-"));
try {
  const out = join(staging, "ui");
  await mkdir(out);
  const [, icons] = await Promise.all([bundle(out), sprite(out), fonts(out), legal(out)]);
  await cp(join(here, "favicon.svg"), join(out, "favicon.svg"));
  await chmod(staging, 0o755); // mkdtemp gives 0700, which a web server under another user could not read.
  await rm(join(here, "dist"), { recursive: true, force: true });
  await rename(staging, join(here, "dist"));
  console.log(`frontend/dist/ui: style, scripts, ${icons} icons, fonts`);
} catch (error) {
  await rm(staging, { recursive: true, force: true });
  console.error(`The front end was not built: ${error.message}`);
  process.exitCode = 1;
}
