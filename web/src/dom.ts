// Makes elements and icons from text only, so that nothing a person wrote is ever parsed as HTML.

type Attributes = Record<string, string | boolean | undefined>;

/** An element with attributes and children; strings become text. */
export function make<K extends keyof HTMLElementTagNameMap>(tag: K, attributes?: Attributes, ...children: (Node | string)[]): HTMLElementTagNameMap[K];
export function make(tag: string, attributes?: Attributes, ...children: (Node | string)[]): HTMLElement;
export function make(tag: string, attributes: Attributes = {}, ...children: (Node | string)[]): HTMLElement {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

const paths = {
  back: "M15 5l-7 7 7 7",
  on: "M9 5l7 7-7 7",
};

/** A stroked icon of 20 px. */
export function icon(name: keyof typeof paths): SVGSVGElement {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(space, "path");
  path.setAttribute("d", paths[name]);
  svg.append(path);
  return svg;
}
