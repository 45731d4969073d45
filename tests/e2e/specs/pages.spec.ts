// Every page at both sizes and in both themes: the design language on computed styles, and a screenshot of each.
import { type Station, expect, test, watch } from "../fixtures/test";
import { box, choose, COLOURS, DESKTOP, expectOnScreen, expectRing, expectTheLanguage, PHONE, pixels, rgb, settled, shoot, type Size, style, type Theme } from "../fixtures/look";
import type { Page } from "@playwright/test";

interface Shown {
  name: string;
  path: (station: Station) => string;
  isStudio?: boolean;
  status?: number;
}

const FOR_ANYBODY: Shown[] = [
  { name: "home", path: () => "/" },
  { name: "home-empty", path: () => "/@harbour/" },
  { name: "series", path: ({ series }) => `/series/${series.slug}` },
  { name: "watch", path: (station) => new URL(watch(station, station.open)).pathname },
  { name: "watch-locked", path: (station) => new URL(watch(station, station.members)).pathname },
  { name: "watch-empty", path: (station) => new URL(watch(station, station.empty)).pathname },
  { name: "sign-in", path: () => "/sign-in" },
  { name: "sign-up", path: () => "/sign-up" },
  { name: "manual", path: () => "/about/errors/no_such_uri" },
  { name: "nothing", path: () => "/nothing/here", status: 404 },
];

const FOR_THE_OWNER: Shown[] = [
  { name: "owner-home", path: () => "/" },
  { name: "history", path: () => "/me/history" },
  { name: "settings", path: () => "/me/settings" },
  { name: "studio-list", path: () => "/studio/series", isStudio: true },
  { name: "studio-list-empty", path: () => "/@harbour/studio/series", isStudio: true, status: 200 },
  { name: "studio-new-series", path: () => "/studio/series/new", isStudio: true },
  { name: "studio-series", path: ({ series }) => `/studio/series/${series.id}`, isStudio: true },
  { name: "studio-new-episode", path: ({ series }) => `/studio/series/${series.id}/episodes/new`, isStudio: true },
  { name: "studio-episode", path: ({ open }) => `/studio/episodes/${open.id}`, isStudio: true },
  { name: "studio-episode-empty", path: ({ empty }) => `/studio/episodes/${empty.id}`, isStudio: true },
];

async function look(page: Page, station: Station, shown: Shown, size: Size, theme: Theme): Promise<void> {
  await test.step(shown.name, async () => {
    const answer = await page.goto(station.url + shown.path(station));
    expect(answer?.status()).toBe(shown.status ?? 200);
    await settled(page);
    await shoot(page, shown.name, size, theme);
    await expectTheLanguage(page, theme);
    if (!shown.isStudio) await expectTheFrame(page, size);
  });
}

async function expectTheFrame(page: Page, size: Size): Promise<void> {
  const header = await box(page.locator(".header"));
  expect(header.height, "header").toBe(size === PHONE ? 56 : 64);
  const bar = page.getByRole("navigation", { name: "Main, at the foot" });
  await expect(bar).toBeVisible({ visible: size === PHONE });
  const isCut = await page.locator(".brand span").evaluate((name) => name.scrollWidth > name.clientWidth);
  expect(isCut, "the channel's name is whole").toBe(false);
}

for (const size of [PHONE, DESKTOP]) {
  for (const theme of ["dark", "light"] as const) {
    test(`pages for anybody, ${size.name} px, ${theme}`, async ({ page, station, expected }) => {
      expected.push(/status of 404.*\/nothing\/here/s);
      await page.setViewportSize(size);
      await choose(page, theme);
      for (const shown of FOR_ANYBODY) await look(page, station, shown, size, theme);
    });

    test(`pages for the owner, ${size.name} px, ${theme}`, async ({ page, context, station }) => {
      await station.owner.enter(context);
      await station.harbour.enter(context);
      await page.setViewportSize(size);
      await choose(page, theme);
      for (const shown of FOR_THE_OWNER) await look(page, station, shown, size, theme);
    });

    test(`the home page in numbers, ${size.name} px, ${theme}`, async ({ page, station }) => {
      await page.setViewportSize(size);
      await choose(page, theme);
      await page.goto(station.url);
      await settled(page);
      await expectHome(page, size, theme);
    });
  }
}

async function expectHome(page: Page, size: Size, theme: Theme): Promise<void> {
  const isPhone = size === PHONE;
  const hero = await box(page.locator(".hero-slide").first());
  expect(hero.width / hero.height, "hero").toBeCloseTo(isPhone ? 4 / 5 : 16 / 7, 1);
  expect(hero.height).toBeLessThanOrEqual(Math.min(0.72 * size.height, 720) + 0.5);
  const words = await box(page.locator(".hero-text > p").first());
  expect(words.width, "hero text").toBeLessThanOrEqual(520);
  const rows = await box(page.locator(".rows"));
  expect(rows.y, "the next row peeks 48 px over the hero").toBeCloseTo(hero.y + hero.height - 48, 0);
  const poster = await box(page.locator(".art-poster").first());
  expect(poster.width, "poster").toBeCloseTo(isPhone ? 132 : 200, 0);
  expect(poster.width / poster.height).toBeCloseTo(2 / 3, 2);
  const still = await box(page.locator(".row .art-still").first());
  expect(still.width, "still").toBeCloseTo(isPhone ? 220 : 320, 0);
  expect(still.width / still.height).toBeCloseTo(16 / 9, 2);
  const cut = await page.locator(".row-track").evaluateAll((rows) =>
    rows.filter((row) => row.scrollWidth > row.clientWidth).map((row) => {
      const cards = [...row.querySelectorAll("li")].map((card) => card.getBoundingClientRect());
      return cards.some((card) => card.left < innerWidth - 8 && card.right > innerWidth + 8);
    }),
  );
  expect(cut.length, "some rows are longer than the screen").toBeGreaterThan(0);
  expect(cut, "the last card on screen is cut").not.toContain(false);
  const gaps = await page.locator(".row").evaluateAll((all) => all.slice(1).map((row, at) => row.getBoundingClientRect().top - all[at]!.getBoundingClientRect().bottom));
  for (const gap of gaps) expect(gap, "rows are 40 px apart").toBeCloseTo(40, 0);
  const gutter = await pixels(page.locator(".row-track").first(), "padding-left");
  expect(gutter, "gutter").toBeCloseTo(Math.min(Math.max(16, 0.04 * size.width), 56), 0);
  expect(await style(page.locator(".rows h2").first(), "color"), "the row below the hero has the theme's colour").toBe(rgb(COLOURS[theme].text));
  expect(await style(page.locator(".hero-text h2").first(), "color"), "the text over the picture is light").toBe(rgb(COLOURS.dark.text));
  await expectHeaderToSettle(page, theme);
}

// Clear over the hero; its ground at 90 % once the page has moved by 24 px.
async function expectHeaderToSettle(page: Page, theme: Theme): Promise<void> {
  const header = page.locator(".header");
  expect(await style(header, "background-color")).toBe("rgba(0, 0, 0, 0)");
  await page.evaluate(() => scrollTo(0, 200));
  const ground = rgb(COLOURS[theme].ground).replace("rgb(", "rgba(").replace(")", ", 0.9)");
  await expect.poll(() => style(header, "background-color")).toBe(ground);
  expect(await style(header, "backdrop-filter")).toContain("blur");
}

test("without a choice viewer pages are dark and the studio follows the system", async ({ page, context, station }) => {
  await station.owner.enter(context);
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    await page.goto(station.url);
    expect(await style(page.locator("html"), "background-color")).toBe(rgb(COLOURS.dark.ground));
    await page.goto(`${station.url}/studio/series`);
    expect(await style(page.locator("html"), "background-color")).toBe(rgb(COLOURS[colorScheme].ground));
  }
});

test("the theme is switched and stays so", async ({ page, station }) => {
  await page.goto(station.url);
  await page.getByRole("button", { name: "Use the light theme" }).click();
  expect(await style(page.locator("html"), "background-color")).toBe(rgb(COLOURS.light.ground));
  await page.goto(`${station.url}/sign-in`);
  expect(await style(page.locator("html"), "background-color")).toBe(rgb(COLOURS.light.ground));
});

test("the focus is always shown", async ({ page, station }) => {
  for (const theme of ["dark", "light"] as const) {
    await choose(page, theme);
    await page.goto(`${station.url}/sign-in`);
    for (let stop = 0; stop < 8; stop++) {
      await page.keyboard.press("Tab");
      await expectRing(page, theme);
    }
  }
});

test("on a desktop the player has at least 70 % of the width, and the panel 380 px", async ({ page, station }) => {
  await page.setViewportSize(DESKTOP);
  await page.goto(watch(station, station.open));
  const player = await box(page.locator("show-player"));
  expect(player.width).toBeGreaterThanOrEqual(0.7 * DESKTOP.width);
  expect(player.width / player.height).toBeCloseTo(16 / 9, 1);
  expect((await box(page.locator(".watch-panel"))).width).toBe(380);
  expect(await style(page.locator("show-player"), "background-color")).toBe("rgb(0, 0, 0)");
});

test("on the watch page colour is for the place, and the title stands once", async ({ page, station }) => {
  await page.setViewportSize(DESKTOP);
  await page.goto(watch(station, station.open));
  await expect(page.locator("show-player media-controller")).toBeAttached();
  await expect(page.locator(".player-top")).toBeHidden();
  const accent = await style(page.locator("media-time-range"), "--media-range-bar-color");
  expect(accent).not.toMatch(/^#fff/);
  expect(await style(page.locator("media-volume-range"), "--media-range-bar-color")).toBe("#fff");
  const here = page.locator(".panel-list [aria-current=page]");
  expect(await style(here, "box-shadow"), "a straight mark, not the edge of a round box").toBe("none");
  const mark = await here.evaluate((item) => getComputedStyle(item, "::before").width);
  expect(mark).toBe("3px");
});

test("on a phone everything of the studio's menu is on screen and its head scrolls away", async ({ page, context, station }) => {
  await station.owner.enter(context);
  await page.setViewportSize(PHONE);
  await page.goto(`${station.url}/studio/series/${station.series.id}`);
  await expectOnScreen(page, page.locator(".studio-menu :is(a, button)"));
  await expect(page.getByRole("button", { name: "Sign out" })).toBeVisible();
  expect(await style(page.locator(".studio-head"), "position")).toBe("static");
  await page.goto(`${station.url}/studio/episodes/${station.empty.id}`);
  expect(await page.locator(".stack td:empty").evaluateAll((cells) => cells.every((cell) => !cell.checkVisibility()))).toBe(true);
});

test("what was begun is taken from the list by a button that is smaller than its title's line", async ({ page, context, station }) => {
  await station.owner.enter(context);
  await page.setViewportSize(PHONE);
  await page.goto(`${station.url}/me/history`);
  const remove = page.getByRole("button", { name: `Remove ${station.open.title}` });
  expect(await pixels(remove, "font-size")).toBe(14);
  const [icon, card] = [await box(remove.locator(".icon")), await box(page.locator(".episode .card"))];
  expect(icon.x - card.x, "it stands at the edge of its card").toBeCloseTo(1, 0);
});

test("the bar to save is as wide as its column", async ({ page, context, station }) => {
  await station.owner.enter(context);
  for (const size of [PHONE, DESKTOP]) {
    await page.setViewportSize(size);
    await page.goto(`${station.url}/studio/series/${station.series.id}`);
    const [bar, column] = [await box(page.locator(".save-bar")), await box(page.locator(".studio-main"))];
    expect([bar.x, bar.width]).toEqual([column.x, column.width]);
  }
});

test("the studio has a menu of 240 px and rows of 44 px", async ({ page, context, station }) => {
  await station.owner.enter(context);
  await page.setViewportSize(DESKTOP);
  await page.goto(`${station.url}/studio/series`);
  expect((await box(page.locator(".studio-menu"))).width).toBe(240);
  const rows = await page.locator("tbody tr").evaluateAll((all) => all.map((row) => row.getBoundingClientRect().height));
  expect(rows.length).toBeGreaterThan(5);
  for (const height of rows) expect(height).toBeCloseTo(44, -0.5);
});
