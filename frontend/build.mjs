// Builds frontend/dist/ui from our styles and scripts, the KQL editor, the icons named in icons.json and two font families.
// Run by frontend/setup.py; `npm run build` does the same. Output names are plain: Django's manifest storage hashes them.
import { build } from "esbuild";
import { chmod, cp, mkdir, mkdtemp, readFile, readdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const modules = join(here, "..", "node_modules");
const browsers = ["chrome123", "firefox125", "safari17.5"]; // The first with light-dark(), nesting and popover.

/** Bundle the style sheet, the two scripts and the worker that places the entity graph into `out`. Returns the packages that went in. */
async function bundle(out) {
  const common = { bundle: true, minify: true, charset: "utf8", logLevel: "warning", target: browsers };
  const [, app] = await Promise.all([
    build({ ...common, entryPoints: [join(here, "styles/app.css")], outfile: join(out, "app.css"), external: ["*.woff2"] }),
    build({ ...common, entryPoints: [join(here, "scripts/app.js")], outfile: join(out, "app.js"), format: "esm", metafile: true, legalComments: "none" }),
    build({ ...common, entryPoints: [join(here, "scripts/theme.js")], outfile: join(out, "theme.js"), format: "iife" }),
  ]);
  const graph = await build({ ...common, entryPoints: { "graph.worker": join(here, "scripts/graph.worker.js") }, outdir: out, format: "iife", metafile: true, legalComments: "none" });
  return packagesOf([app, graph]);
}

/** The packages whose files stand in the results' metafiles. */
function packagesOf(results) {
  const inputs = results.flatMap((result) => Object.keys(result.metafile.inputs));
  return new Set(inputs.flatMap((path) => path.match(/node_modules\/((?:@[^/]+\/)?[^/]+)\//)?.[1] ?? []));
}

/**
 * The KQL editor: one module, its styles and font, and two workers, all fetched by pages that have an editor and by no
 * other. Not split further: Django's storage hashes the names that templates write, not those that modules import.
 * Returns the packages that went in.
 */
async function editor(out) {
  const common = {
    bundle: true, minify: true, charset: "utf8", logLevel: "warning", target: browsers, metafile: true, legalComments: "none",
    loader: { ".ttf": "file" }, assetNames: "fonts/[name]",
    alias: { fs: join(here, "scripts/kql/empty.cjs") }, // Kusto's runtime asks for it and does without.
    define: { global: "self" },
  };
  const results = await Promise.all([
    build({ ...common, entryPoints: { "kql-editor": join(here, "scripts/kql/main.js") }, outdir: out, format: "esm" }),
    build({ ...common, entryPoints: { "kusto.worker": join(here, "scripts/kql/kusto.worker.js"), "editor.worker": "monaco-editor/esm/vs/editor/editor.worker" }, outdir: out, format: "iife" }),
  ]);
  return packagesOf(results);
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

/** The sprite that the template tag `icon` points into. */
async function sprite(out) {
  const names = JSON.parse(await readFile(join(here, "icons.json"), "utf8"));
  const symbols = await Promise.all(names.map(symbol));
  await writeFile(join(out, "icons.svg"), `<svg xmlns="http://www.w3.org/2000/svg">${symbols.join("")}</svg>\n`);
  return names.length;
}

/** Latin and Latin-extended faces; other scripts fall back to the system's fonts. */
async function fonts(out) {
  await mkdir(join(out, "fonts"), { recursive: true }); // the editor puts its own there
  for (const family of ["inter", "jetbrains-mono"]) {
    for (const range of ["latin", "latin-ext"]) {
      const file = `${family}-${range}-wght-normal.woff2`;
      await cp(join(modules, "@fontsource-variable", family, "files", file), join(out, "fonts", file));
    }
  }
}

// Microsoft's packages that carry no licence file: MIT as their package.json says, and so the text of its editor's package.
const SAME_LICENCE = { "@kusto/": "monaco-editor" };

async function licence(name) {
  const home = Object.entries(SAME_LICENCE).find(([prefix]) => name.startsWith(prefix))?.[1] ?? name;
  const folder = join(modules, home);
  const files = (await readdir(folder)).filter((entry) => /^(licen[cs]e|thirdpartynotices)/i.test(entry)).sort();
  if (!files.some((file) => /^licen[cs]e/i.test(file))) throw new Error(`${name} carries no licence file`);
  const texts = files.filter((file) => home === name || /^licen[cs]e/i.test(file)).map((file) => readFile(join(folder, file), "utf8"));
  return (await Promise.all(texts)).map((text) => text.trim()).join("\n\n");
}

/** The licence texts of what the browser is given, in one file beside it. */
async function legal(out, bundled) {
  const manifest = JSON.parse(await readFile(join(here, "..", "package.json"), "utf8"));
  const parts = [];
  for (const name of [...new Set([...Object.keys(manifest.dependencies), ...bundled])].sort()) {
    const { version, license } = JSON.parse(await readFile(join(modules, name, "package.json"), "utf8"));
    parts.push(`${name} ${version} (${license})\n\n${await licence(name)}\n`);
  }
  await writeFile(join(out, "LEGAL.txt"), parts.join(`\n${"-".repeat(100)}\n\n`));
}

// Built elsewhere (ignored by git) and swapped in at the end: a server that runs meanwhile never sees half a build.
const staging = await mkdtemp(join(modules, ".ircase-build-"));
try {
  const out = join(staging, "ui");
  await mkdir(out);
  const [packages, icons, more] = await Promise.all([editor(out), sprite(out), bundle(out), fonts(out)]);
  await legal(out, [...packages, ...more]);
  await cp(join(here, "favicon.svg"), join(out, "favicon.svg"));
  await chmod(staging, 0o755); // mkdtemp gives 0700, which a web server under another user could not read.
  await rm(join(here, "dist"), { recursive: true, force: true });
  await rename(staging, join(here, "dist"));
  console.log(`frontend/dist/ui: style, scripts, the KQL editor, ${icons} icons, fonts`);
} catch (error) {
  await rm(staging, { recursive: true, force: true });
  console.error(`The front end was not built: ${error.message}`);
  process.exitCode = 1;
}
