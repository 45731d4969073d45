// The whole way of a video: somebody signs up, makes a series, uploads over a connection that breaks, watches, goes on
// elsewhere, and closes the door behind them.
import { BreakingRelay } from "../fixtures/breaking";
import { clip } from "../fixtures/footage";
import { Person } from "../fixtures/person";
import { expectToPass, levels, pauseAndKeep, play, seconds } from "../fixtures/player";
import { Server } from "../fixtures/server";
import { expect, test } from "../fixtures/test";

const ADA = { name: "Ada", email: "ada@people.example", password: "quiet harbour wind 7" };
/** Bytes of the upload after which the connection breaks. */
const BREAK_BYTES = 2_500_000;

let server: Server;
let relay: BreakingRelay;

test.beforeAll(async () => {
  server = await Server.start();
  relay = await BreakingRelay.start(server.port, BREAK_BYTES);
});

test.afterAll(async () => {
  await relay?.stop();
  await server?.stop();
});

test("a video uploaded in a browser plays in a browser, for those who may", async ({ page, browser, context, expected, listen }) => {
  test.setTimeout(150_000);
  const url = relay.url;
  let watchUrl = "";
  const media: string[] = [];
  page.on("response", (answer) => {
    if (new URL(answer.url()).pathname.startsWith("/media/") && answer.ok()) media.push(answer.url());
  });

  await test.step("sign up", async () => {
    await page.goto(url);
    await page.getByRole("navigation", { name: "Main", exact: true }).getByRole("link", { name: "Sign up" }).click();
    await page.getByLabel("Name").fill(ADA.name);
    await page.getByLabel("E-mail address").fill(ADA.email);
    await page.getByLabel("Password").fill(ADA.password);
    await page.getByRole("button", { name: "Sign up" }).click();
    await expect(page.getByRole("link", { name: "Me", exact: true })).toBeVisible();
    await expect(page.getByRole("link", { name: "Studio" })).toHaveCount(0);
  });

  await test.step("become an editor, by the owner's word", async () => {
    const owner = await Person.signIn(server.url);
    await owner.setRole(ADA.email, "editor");
    await page.reload();
    await page.getByRole("link", { name: "Studio", exact: true }).click();
    await expect(page).toHaveURL(`${url}/studio/series`);
  });

  await test.step("make a series and a private episode", async () => {
    await page.goto(`${url}/studio/series/new`);
    await page.getByLabel("Title").fill("Rehearsal Room");
    await page.getByLabel("Short text").fill("What is tried before it is shown.");
    await page.getByLabel("Genres").fill("Theatre");
    await page.getByRole("button", { name: "Save" }).click();
    await expect(page.locator(".notice-good")).toHaveText("Saved.");
    await page.getByRole("link", { name: "Add an episode" }).click();
    await page.getByLabel("Title").fill("First Reading");
    await page.getByRole("radio", { name: /^Private/ }).check();
    await page.getByRole("button", { name: "Save and go on to the video" }).click();
    await expect(page.getByRole("heading", { name: "First Reading" })).toBeVisible();
  });

  await test.step("upload over a connection that breaks once", async () => {
    // Who comes back before the server has stored the rest of the broken connection is told to look again.
    expected.push(/net::ERR_(CONNECTION|EMPTY|SOCKET)/, /status of 409 .*\/api\/uploads\//);
    await page.getByLabel("Drop a video here").setInputFiles(await clip());
    const item = page.locator("upload-tray .tray-item");
    await expect(item).toContainText("clip.mp4");
    await expect(item.getByRole("status")).toHaveText("✓ Ready to watch", { timeout: 60_000 });
    expect(relay.breaks, "the connection broke").toBe(1);
    expect(relay.offsets[0]).toBe(0);
    const last = relay.offsets.at(-1) ?? 0;
    expect(last, "it went on where it stopped, not from the beginning").toBeGreaterThan(1_000_000);
    await expect(item.getByText("100 %").first()).toBeVisible();
  });

  await test.step("play, with qualities to choose from", async () => {
    await page.getByRole("link", { name: "Watch it" }).click();
    await expect(page.getByRole("heading", { name: "First Reading" })).toBeVisible();
    watchUrl = page.url();
    await play(page);
    await expectToPass(page, 2);
    expect(await levels(page)).toBeGreaterThanOrEqual(2);
  });

  await test.step("the place is kept after the page is loaded again", async () => {
    await expectToPass(page, 4);
    const kept = await pauseAndKeep(page);
    await page.reload();
    await expect.poll(() => seconds(page), { message: "it stands where it stood" }).toBeGreaterThan(kept - 0.5);
    expect(await seconds(page)).toBeLessThan(kept + 0.5);
  });

  await test.step("another browser goes on from there", async () => {
    const elsewhere = await browser.newContext();
    listen(elsewhere);
    const other = await elsewhere.newPage();
    await other.goto(`${server.url}/sign-in`);
    await other.getByLabel("E-mail address").fill(ADA.email);
    await other.getByLabel("Password").fill(ADA.password);
    await other.getByRole("button", { name: "Sign in" }).click();
    const row = other.getByRole("region", { name: "Continue watching" });
    await row.getByRole("link", { name: /First Reading/ }).click();
    await expect.poll(() => seconds(other), { message: "it begins where the other stopped" }).toBeGreaterThan(3.5);
    await elsewhere.close();
  });

  await test.step("sign out: page, playlist and segments are refused", async () => {
    const playlist = media.find((address) => address.endsWith("master.m3u8"));
    const segment = media.find((address) => address.endsWith(".m4s"));
    expect(playlist && segment, "a playlist and a segment were read").toBeTruthy();
    await page.goto(`${url}/me/settings`);
    await page.getByRole("main").getByRole("button", { name: "Sign out" }).click();
    await expect(page.getByRole("link", { name: "Sign in" }).first()).toBeVisible();
    expected.push(/status of 40[134]/);
    const answer = await page.goto(watchUrl);
    expect(answer?.status()).toBe(404);
    await expect(page.getByRole("heading", { level: 1 })).toHaveText("Nothing here");
    for (const address of [playlist!, segment!]) {
      const status = async (changed: string) => (await context.request.get(changed)).status();
      expect(await status(address.replace(/\/~[^/]+/, "")), "without a pass").toBe(404);
      expect(await status(address.replace(/~(.{12})./, (_, begin: string) => `~${begin}_`)), "with an altered pass").toBe(403);
      await expect.poll(() => status(address), { message: "the pass ends with the session" }).toBe(403);
    }
  });
});
