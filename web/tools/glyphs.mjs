// Writes the outlines of the display face that generated posters are lettered with: one line per character,
// `code point in hex, advance, path` in a 1000-unit em, y downwards. Run it again only when the face changes:
// `npm run glyphs`. The result is checked in, so that the services build without Node.
import { readFile, writeFile, mkdir } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import opentype from "opentype.js";

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const face = path.join(root, "node_modules/@fontsource/bricolage-grotesque");
const target = path.join(root, "../services/site/art");

const bytes = await readFile(path.join(face, "files/bricolage-grotesque-latin-700-normal.woff"));
const font = opentype.parse(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
const scale = 1000 / font.unitsPerEm;
const n = (value) => String(Math.round(value));

/** A path with whole numbers and relative commands, which halves the file and packs well. */
function outline(glyph) {
  let [x, y] = [0, 0];
  let text = "";
  const move = (...points) => {
    const numbers = points.map((value, index) => Math.round(value) - (index % 2 === 0 ? x : y));
    [x, y] = [Math.round(points.at(-2)), Math.round(points.at(-1))];
    return numbers.map((value, index) => (index > 0 && value >= 0 ? " " : "") + n(value)).join("");
  };
  let [startX, startY] = [0, 0];
  for (const c of glyph.getPath(0, 0, 1000).commands) {
    if (c.type === "M") {
      text += `m${move(c.x, c.y)}`;
      [startX, startY] = [x, y];
    } else if (c.type === "L") {
      if (Math.round(c.x) !== x || Math.round(c.y) !== y) text += `l${move(c.x, c.y)}`;
    } else if (c.type === "Q") text += `q${move(c.x1, c.y1, c.x, c.y)}`;
    else if (c.type === "C") text += `c${move(c.x1, c.y1, c.x2, c.y2, c.x, c.y)}`;
    else {
      text += "z";
      [x, y] = [startX, startY];
    }
  }
  return text;
}

const wanted = [];
for (let code = 0x20; code < 0x7f; code++) wanted.push(code);
for (let code = 0xa1; code <= 0xff; code++) wanted.push(code);
wanted.push(0x152, 0x153, 0x178, 0x2013, 0x2014, 0x2018, 0x2019, 0x201c, 0x201d, 0x2026, 0x20ac);

const lines = [];
for (const code of wanted) {
  const glyph = font.charToGlyph(String.fromCodePoint(code));
  if (!glyph || glyph.index === 0) continue;
  lines.push(`${code.toString(16)} ${n(glyph.advanceWidth * scale)} ${outline(glyph)}`);
}
await mkdir(target, { recursive: true });
await writeFile(path.join(target, "glyphs.txt"), `${lines.join("\n")}\n`);
await writeFile(path.join(target, "LICENSE-OFL.txt"), await readFile(path.join(face, "LICENSE")));
console.log(`${lines.length} glyphs`);
