// Lets media-chrome live under a Content-Security-Policy without inline style: the <style> elements of its shadow roots
// become adopted style sheets. Import it before media-chrome; it leaves every other shadow root alone.

const markup = Object.getOwnPropertyDescriptor(ShadowRoot.prototype, "innerHTML");

function adopt(root: ShadowRoot, html: string): void {
  const template = document.createElement("template");
  template.innerHTML = html;
  // Declarative roots inside are made by the elements themselves, through here.
  template.content.querySelectorAll("template[shadowrootmode]").forEach((inner) => inner.remove());
  const content = document.importNode(template.content, true);
  for (const style of content.querySelectorAll("style")) {
    const { sheet, standIn } = replace(style);
    root.adoptedStyleSheets.push(sheet);
    style.replaceWith(standIn);
  }
  root.replaceChildren(content);
}

// media-chrome adds rules through `sheet` of the last `style` it finds, and switches one by its `media`. An element of that name
// which is not HTML's, and so not inline style to the browser, stands in and answers.
function replace(style: HTMLStyleElement): { sheet: CSSStyleSheet; standIn: Element } {
  const sheet = new CSSStyleSheet({ media: style.media });
  sheet.replaceSync(`style { display: none } ${style.textContent ?? ""}`);
  const standIn = document.createElementNS("urn:adopted", "style");
  for (const { name, value } of style.attributes) standIn.setAttribute(name, value);
  Object.defineProperty(standIn, "sheet", { value: sheet });
  if (style.hasAttribute("media")) {
    const changed = () => (sheet.media.mediaText = standIn.getAttribute("media") ?? "");
    new MutationObserver(changed).observe(standIn, { attributeFilter: ["media"] });
  }
  return { sheet, standIn };
}

function isOurs(root: ShadowRoot): boolean {
  return root.host.localName.startsWith("media-");
}

Object.defineProperty(ShadowRoot.prototype, "innerHTML", {
  ...markup,
  set(this: ShadowRoot, html: string) {
    if (isOurs(this)) adopt(this, html);
    else markup?.set?.call(this, html);
  },
});

const unsafe = (ShadowRoot.prototype as { setHTMLUnsafe?: (html: string) => void }).setHTMLUnsafe;
if (unsafe) {
  Object.defineProperty(ShadowRoot.prototype, "setHTMLUnsafe", {
    configurable: true,
    value(this: ShadowRoot, html: string) {
      if (isOurs(this)) adopt(this, html);
      else unsafe.call(this, html);
    },
  });
}
