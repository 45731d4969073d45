// Lets media-chrome live under a Content-Security-Policy without inline style: the <style> elements of its shadow roots
// become adopted style sheets. Import it before media-chrome; it leaves every other shadow root alone.

const markup = Object.getOwnPropertyDescriptor(ShadowRoot.prototype, "innerHTML");

function adopt(root: ShadowRoot, html: string): void {
  const template = document.createElement("template");
  template.innerHTML = html;
  // Declarative roots inside are made by the elements themselves, through here.
  template.content.querySelectorAll("template[shadowrootmode]").forEach((inner) => inner.remove());
  for (const style of template.content.querySelectorAll("style")) {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(style.textContent ?? "");
    root.adoptedStyleSheets.push(sheet);
    // media-chrome adds rules through `sheet` of the last style element: keep it, without text, and let it answer.
    style.textContent = "";
    style.setAttribute("type", "text/adopted");
  }
  const sheets = [...root.adoptedStyleSheets];
  root.replaceChildren(document.importNode(template.content, true));
  [...root.querySelectorAll("style")].forEach((style, index) => {
    Object.defineProperty(style, "sheet", { value: sheets[index] });
  });
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
