// Without scripts every page is read and every form works.
import { expect, test, watch } from "../fixtures/test";
import { OWNER } from "../fixtures/server";

test.use({ javaScriptEnabled: false });

test("a viewer signs up, and their mistakes are said beside the fields", async ({ page, station, expected }) => {
  expected.push(/status of 4\d\d/);
  await page.goto(`${station.url}/sign-up`);
  await page.getByLabel("Name").fill("Vera");
  await page.getByLabel("E-mail address").fill("vera-plain@people.example");
  await page.getByLabel("Password").fill("short");
  await page.getByRole("button", { name: "Sign up" }).click();
  await expect(page.getByLabel("Password")).toHaveAttribute("aria-invalid", "true");
  await expect(page.locator("#password-error")).toContainText("10 to 128 characters");
  await expect(page.getByLabel("Name"), "what was typed is still there").toHaveValue("Vera");
  await page.getByLabel("Password").fill("quiet harbour wind 7");
  await page.getByRole("button", { name: "Sign up" }).click();
  await expect(page.getByRole("link", { name: "Me", exact: true })).toBeVisible();
  await page.goto(`${station.url}/me/settings`);
  await expect(page.getByRole("main")).toContainText("vera-plain@people.example");
  await page.getByRole("main").getByRole("button", { name: "Sign out" }).click();
  await expect(page.getByRole("link", { name: "Sign in" }).first()).toBeVisible();
});

test("a viewer changes their name and password", async ({ page, station, expected }) => {
  expected.push(/status of 40[13]/);
  const main = page.getByRole("main");
  await page.goto(`${station.url}/sign-up`);
  await page.getByLabel("Name").fill("Nils");
  await page.getByLabel("E-mail address").fill("nils@people.example");
  await page.getByLabel("Password").fill("quiet harbour wind 7");
  await page.getByRole("button", { name: "Sign up" }).click();
  await page.getByRole("link", { name: "Me", exact: true }).click();
  await page.getByLabel("Name").fill("Nils Holm");
  await page.getByRole("button", { name: "Save the name" }).click();
  await expect(main.getByRole("status")).toHaveText("Your name is changed.");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Nils Holm");
  const change = async (old: string) => {
    await page.getByLabel("Password until now").fill(old);
    await page.getByLabel("New password").fill("louder harbour wind 8");
    await page.getByRole("button", { name: "Change the password" }).click();
  };
  await change("not the password");
  await expect(page.locator("#old-error")).toContainText("This is not your password");
  await change("quiet harbour wind 7");
  await expect(main.getByRole("status")).toContainText("Your password is changed");
  await main.getByRole("button", { name: "Sign out" }).click();
  await page.goto(`${station.url}/sign-in`);
  const signIn = async (password: string) => {
    await page.getByLabel("E-mail address").fill("nils@people.example");
    await page.getByLabel("Password").fill(password);
    await page.getByRole("button", { name: "Sign in" }).click();
  };
  await signIn("quiet harbour wind 7");
  await expect(page.getByRole("alert")).toContainText("The address or the password is wrong");
  await signIn("louder harbour wind 8");
  await expect(page.getByRole("link", { name: "Me", exact: true })).toBeVisible();
});

test("the owner signs in on the way to the studio and makes a series with an episode", async ({ page, station, expected }) => {
  expected.push(/status of 40[01]/);
  await page.goto(`${station.url}/studio/series/new`);
  await expect(page).toHaveURL(/\/sign-in\?next=/);
  await page.getByLabel("E-mail address").fill(OWNER.email);
  await page.getByLabel("Password").fill("not the password");
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("alert")).toContainText("The address or the password is wrong");
  await page.getByLabel("Password").fill(OWNER.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page).toHaveURL(`${station.url}/studio/series/new`);
  await page.getByLabel("Title").fill("x".repeat(121));
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.locator("#title-error")).toContainText("Use at most 120 characters; these are 121");
  await expect(page.getByLabel("Title")).toHaveValue("x".repeat(121));
  await page.getByLabel("Title").fill("Made by Hand");
  await page.getByRole("radio", { name: /^Unlisted/ }).check();
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.locator(".notice-good")).toHaveText("Saved.");
  await expect(page.getByRole("radio", { name: /^Unlisted/ })).toBeChecked();
  await page.getByRole("link", { name: "Add an episode" }).click();
  await page.getByLabel("Title").fill("By Candlelight");
  await page.getByRole("button", { name: "Save and go on to the video" }).click();
  await expect(page.locator("noscript p", { hasText: "Uploading from this page needs scripts" })).toBeVisible();
  await page.getByLabel("Long text").fill("One line.\nAnother line.");
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await expect(page.locator(".notice-good")).toHaveText("Saved.");
  await expect(page.getByLabel("Long text")).toHaveValue("One line.\nAnother line.");
});

test("home, series and watch pages are read", async ({ page, station }) => {
  await page.goto(station.url);
  await expect(page.locator("[data-theme-switch]")).toBeHidden();
  await page.getByRole("region", { name: "Drama" }).getByRole("link", { name: station.series.title }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText(station.series.title);
  await page.getByRole("link", { name: /Cast Off/ }).click();
  await expect(page).toHaveURL(watch(station, station.open));
  await expect(page.locator("show-player video source")).toHaveAttribute("src", /^\/media\/.*master\.m3u8$/);
  await page.getByRole("complementary", { name: "Episodes" }).getByRole("link", { name: /Still to Come/ }).click();
  await expect(page.getByRole("main")).toContainText("its video is still to come");
  await page.goto(watch(station, station.members));
  await expect(page.getByRole("main")).toContainText("Only members of this channel may watch it");
});
