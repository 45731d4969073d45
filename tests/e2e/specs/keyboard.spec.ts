// Everything with the keyboard alone: from the address to a playing picture, and a form.
import type { Page } from "@playwright/test";
import { OWNER } from "../fixtures/server";
import { expect, test } from "../fixtures/test";
import { expectToPass } from "../fixtures/player";

/** Moves the focus on until it is at what is wanted. */
async function tabTo(page: Page, wanted: RegExp): Promise<void> {
  const seen: string[] = [];
  for (let stop = 0; stop < 80; stop++) {
    await page.keyboard.press("Tab");
    const name = await page.evaluate(() => {
      const here = document.activeElement as HTMLInputElement | null;
      return here?.getAttribute("aria-label") ?? (here?.labels?.[0] ?? here)?.textContent?.trim() ?? "";
    });
    if (wanted.test(name)) return;
    seen.push(name);
  }
  throw new Error(`${wanted} is not reached; the focus was at: ${seen.join(" · ")}`);
}

test("from the first page to a playing picture", async ({ page, station }) => {
  await page.goto(station.url);
  await page.keyboard.press("Tab");
  const skip = page.getByRole("link", { name: "Skip to the content" });
  await expect(skip).toBeFocused();
  await expect(skip).toBeInViewport();
  await page.keyboard.press("Enter");
  await expect(page.locator("#main")).toBeFocused();
  await tabTo(page, /^Episodes$/);
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText(station.series.title);
  await page.keyboard.press("Tab");
  await tabTo(page, /^Play$/);
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/\/watch\//);
  await expect(page.locator("show-player media-controller")).toBeAttached();
  await page.keyboard.press("k");
  await expectToPass(page, 1);
  await page.keyboard.press("k");
  const video = page.locator("show-player video");
  await expect.poll(() => video.evaluate((it: HTMLVideoElement) => it.paused)).toBe(true);
  await page.keyboard.press("m");
  await expect.poll(() => video.evaluate((it: HTMLVideoElement) => it.muted)).toBe(true);
  await page.keyboard.press("5");
  await expect.poll(() => video.evaluate((it: HTMLVideoElement) => it.currentTime / it.duration)).toBeCloseTo(0.5, 1);
  await page.keyboard.press("?");
  await expect(page.getByRole("dialog")).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(page.getByRole("dialog")).toBeHidden();
});

test("sign in and make a series", async ({ page, station }) => {
  await page.goto(`${station.url}/studio/series/new`);
  await tabTo(page, /^E-mail address/);
  await page.keyboard.type(OWNER.email);
  await page.keyboard.press("Tab");
  await page.keyboard.type(OWNER.password);
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(`${station.url}/studio/series/new`);
  await tabTo(page, /^Title/);
  await page.keyboard.type("Ten Fingers");
  await expect(page.locator("output[for=title]")).toHaveText("11/120");
  await tabTo(page, /^Public/);
  await page.keyboard.press("ArrowDown");
  await expect(page.getByRole("radio", { name: /^Unlisted/ })).toBeChecked();
  await tabTo(page, /^Save$/);
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Ten Fingers");
});
