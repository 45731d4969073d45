// `up --demo`: pages are complete at once, the hero plays soon, and the strip leads somewhere.
import type { Page } from "@playwright/test";
import { expectToPass, play } from "../fixtures/player";
import { box, choose, DESKTOP, expectOnScreen, expectTheLanguage, PHONE, settled, shoot } from "../fixtures/look";
import { Server } from "../fixtures/server";
import { expect, test } from "../fixtures/test";

let server: Server;
let began: number;

test.describe.configure({ mode: "serial" });

test.beforeAll(async () => {
  began = Date.now();
  server = await Server.start({ demo: true });
});

test.afterAll(async () => {
  await server?.stop();
});

test("the first page is complete, and its hero plays", async ({ page }) => {
  await page.goto(server.url);
  await settled(page);
  console.log(`demo: the first page with its posters after ${Date.now() - began} ms`);
  await expect(page.locator(".row")).not.toHaveCount(0);
  const posters = page.locator(".art-poster img");
  expect(await posters.count()).toBeGreaterThanOrEqual(3);
  const drawn = await posters.evaluateAll((all) => (all as HTMLImageElement[]).every((image) => image.loading === "lazy" || image.naturalWidth > 0));
  expect(drawn, "posters are drawn").toBe(true);
  const hero = page.locator(".hero .button-primary");
  await expect
    .poll(
      async () => {
        await page.goto(server.url);
        return hero.count();
      },
      { timeout: 40_000, intervals: [250], message: "there is something to play" },
    )
    .toBe(1);
  console.log(`demo: the hero plays after ${Date.now() - began} ms`);
  await hero.click();
  await play(page);
  await expectToPass(page, 2);
});

test("the strip offers three ways, each of which leads somewhere, and goes for good", async ({ page }) => {
  await page.goto(`${server.url}/sign-up`);
  const strip = page.getByRole("complementary", { name: "About this demo" });
  await strip.getByRole("link", { name: "Watch" }).click();
  await expect(page.locator(".hero")).toBeVisible();
  await strip.getByRole("link", { name: "See the function that served this page" }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("The function that served the page");
  await expect(page.getByRole("main")).toContainText(/home::show|site/);
  await expect(page.locator(".source")).toContainText("async fn");
  await strip.getByRole("link", { name: "Upload your own" }).click();
  await expect(page).toHaveURL(/\/sign-in\?next=/);
  await fillIn(page);
  await expect(page).toHaveURL(`${server.url}/studio/series`);
  await expect(page.locator("tbody tr")).toHaveCount(3);
  await page.goto(server.url);
  await strip.getByRole("button", { name: "Dismiss" }).click();
  await expect(strip).toBeHidden();
  await page.reload();
  await expect(strip).toBeHidden();
});

test("the strip is whole at every size, and covers nothing that can be pressed", async ({ browser, listen }) => {
  for (const size of [PHONE, DESKTOP]) {
    for (const theme of ["dark", "light"] as const) {
      const context = await browser.newContext({ viewport: size });
      listen(context);
      const page = await context.newPage();
      await choose(page, theme);
      await page.goto(server.url);
      await settled(page);
      const strip = page.getByRole("complementary", { name: "About this demo" });
      await expectOnScreen(page, strip.locator(":is(a, button):visible"));
      await shoot(page, "demo-home", size, theme);
      await page.screenshot({ path: `shots/demo-screen-${size.name}-${theme}.png` });
      await page.locator(".hero .button-primary").click();
      await expect(page).toHaveURL(/\/watch\//);
      await settled(page);
      const main = await box(page.getByRole("main"));
      expect((await box(strip)).y, "it stands below the page").toBeGreaterThanOrEqual(main.y + main.height - 0.5);
      await shoot(page, "demo-watch", size, theme);
      await context.close();
    }
  }
});

test("one episode is for members, one is private", async ({ page, browser, listen, expected }) => {
  const forNobody = await episodes(page);
  expect(forNobody, "lists show everybody what is for members").toHaveLength(11);
  const forMembers = await locked(page, forNobody);
  expect(forMembers, "one is for members").toHaveLength(1);
  await page.goto(forMembers[0]!);
  await expect(page.getByRole("main")).toContainText("Only members of this channel may watch it");
  await expect(page.getByRole("main").getByRole("link", { name: "Sign in" })).toBeVisible();
  await page.goto(`${server.url}/sign-up`);
  await page.getByLabel("Name").fill("Vera");
  await page.getByLabel("E-mail address").fill("vera@people.example");
  await page.getByLabel("Password").fill("quiet harbour wind 7");
  await page.getByRole("button", { name: "Sign up" }).click();
  await expect(page.getByRole("link", { name: "Me", exact: true })).toBeVisible();
  expect(await episodes(page), "a member sees the same").toEqual(forNobody);
  await page.goto(forMembers[0]!);
  await expect(page.getByRole("main")).not.toContainText("Only members of this channel may watch it");
  const context = await browser.newContext();
  listen(context);
  const other = await context.newPage();
  await signIn(other);
  const hidden = (await episodes(other)).filter((address) => !forNobody.includes(address));
  expect(hidden, "one is private").toHaveLength(1);
  expected.push(/status of 404/);
  expect((await page.goto(hidden[0]!))?.status(), "a member does not see it").toBe(404);
  await context.close();
});

/** The addresses of every episode that the series' pages list for somebody. */
async function episodes(page: Page): Promise<string[]> {
  await page.goto(server.url);
  const hrefs = (selector: string) => page.locator(selector).evaluateAll((all) => [...new Set((all as HTMLAnchorElement[]).map((card) => card.href))]);
  const found: string[] = [];
  for (const series of await hrefs("a.card[href^='/series/']")) {
    await page.goto(series);
    found.push(...(await hrefs(".episode a.card")));
  }
  return found;
}

/** Those of the addresses that are locked for whoever asks. */
async function locked(page: Page, addresses: string[]): Promise<string[]> {
  const found: string[] = [];
  for (const address of addresses) {
    const answer = await page.request.get(address);
    if ((await answer.text()).includes("Only members of this channel may watch it")) found.push(address);
  }
  return found;
}

async function signIn(page: Page): Promise<void> {
  await page.goto(`${server.url}/sign-in`);
  await fillIn(page);
  await expect(page.getByRole("link", { name: "Studio", exact: true })).toBeVisible();
}

/** Signs the owner in with the password that was shown once. */
async function fillIn(page: Page): Promise<void> {
  const password = /password (\S.*?)\s+\(shown this once\)/.exec(server.said.join("\n"))?.[1] ?? "";
  await page.getByLabel("E-mail address").fill("owner@demo.example");
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
}

test("a tip is given with a test card, becomes a receipt by itself, and stands in the studio", async ({ page, expected }) => {
  expected.push(/status of 400.*\/tip\)/);
  await signIn(page);
  await page.goto(server.url);
  await page.locator("a.card[href*='/series/']").first().click();
  await page.getByRole("link", { name: "Tip", exact: true }).click();
  await expect(page.getByRole("heading", { level: 1 })).toContainText("Tip for");
  await page.getByLabel(/Another amount/).fill("0");
  await page.getByLabel("A word with it").fill("Keep the lamps burning");
  await page.getByRole("button", { name: "Give the tip" }).click();
  await expect(page.locator("#amount-error")).toContainText("Give from €1.00 to €500.00");
  await expect(page.getByLabel("A word with it")).toHaveValue("Keep the lamps burning");
  await page.getByLabel(/Another amount/).fill("4,50");
  for (const size of [PHONE, DESKTOP]) {
    await page.setViewportSize(size);
    await settled(page);
    await expectTheLanguage(page, "dark");
  }
  await page.getByRole("button", { name: "Give the tip" }).click();
  await expect(page.getByRole("heading", { name: "Thank you" })).toBeVisible();
  await expect(page.locator(".receipt")).toContainText("T-");
  await expect(page.getByRole("main")).toContainText("€4.50");
  await expectTheLanguage(page, "dark");
  await page.goto(`${server.url}/studio/tips`);
  await expect(page.locator("tbody tr").first()).toContainText("Keep the lamps burning");
  await page.getByRole("button", { name: /Give back/ }).click();
  await expect
    .poll(
      async () => {
        await page.goto(`${server.url}/studio/tips`);
        return page.locator("tbody tr").first().textContent();
      },
      { message: "it is given back" },
    )
    .toContain("Given back");
});
