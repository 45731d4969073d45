// What people write is text on every page, whatever it looks like.
import { expect, test } from "../fixtures/test";

const TITLE = `<script>window.ran = true</script><img src=x onerror="window.ran = true"> 🎭 "quoted" & 'single'`;

test("markup and emoji in titles are shown and never run", async ({ page, context, station }) => {
  const series = await station.owner.makeSeries(TITLE, { short_text: TITLE, long_text: TITLE, genres: ["<b>Bold</b>"], access: "unlisted" });
  const episode = await station.owner.makeEpisode(series, TITLE, "unlisted", { short_text: TITLE, long_text: TITLE });
  await station.owner.enter(context);
  const pages = [`/series/${series.slug}`, `/watch/${episode.pid}/${episode.slug}`, `/studio/series/${series.id}`, `/studio/episodes/${episode.id}`];
  for (const path of pages) {
    await page.goto(station.url + path);
    await expect(page.getByRole("heading", { level: 1 })).toHaveText(TITLE);
    await expect(page).toHaveTitle(new RegExp("🎭"));
    expect(await page.evaluate(() => "ran" in window), path).toBe(false);
    expect(await page.locator("main script, main b:text('Bold')").count(), path).toBe(0);
  }
  await expect(page.getByLabel("Title")).toHaveValue(TITLE);
  await page.goto(`${station.url}/art/poster/${series.id}`);
  expect(await page.evaluate(() => "ran" in window)).toBe(false);
});

test("a title over its limit is counted while it is typed and refused beside its field", async ({ page, context, station, expected }) => {
  expected.push(/status of 400/);
  await station.owner.enter(context);
  await page.goto(`${station.url}/studio/series/new`);
  await page.getByLabel("Title").fill("🎬".repeat(121));
  await expect(page.locator("output[for=title]")).toHaveText("121/120: 1 too many");
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.locator("#title-error")).toContainText("Use at most 120 characters; these are 121");
  await expect(page.getByLabel("Title")).toBeFocused();
  await page.getByLabel("Title").fill("🎬".repeat(120));
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.locator(".notice-good")).toHaveText("Saved.");
  await expect(page.getByLabel("Title")).toHaveValue("🎬".repeat(120));
});

test("a file that is no video is refused in words, and another takes its place", async ({ page, context, station }) => {
  const episode = await station.owner.makeEpisode(station.series, "Wrong Reel", "private");
  await station.owner.enter(context);
  await page.goto(`${station.url}/studio/episodes/${episode.id}`);
  const file = page.getByLabel("Drop a video here");
  await file.setInputFiles({ name: "notes.mp4", mimeType: "video/mp4", buffer: Buffer.from("dear diary") });
  await expect(page.locator("upload-tray .tray-item").getByRole("alert")).toContainText("This is not a video file");
  await page.reload();
  await expect(page.getByRole("alert")).toContainText("This is not a video file");
  await page.locator("#file").setInputFiles({ name: "empty.mp4", mimeType: "video/mp4", buffer: Buffer.alloc(0) });
  await expect(page.locator(".toast")).toContainText("This file is empty");
});
