// The first view of a page is under 100 kB compressed, without the player.
import { expect, test, watch } from "../fixtures/test";
import { DESKTOP, PHONE, settled } from "../fixtures/look";

const BYTES_MAX = 100_000;

test("first views are light", async ({ browser, station, listen }) => {
  const pages: [string, string][] = [
    ["home", station.url],
    ["series", `${station.url}/series/${station.series.slug}`],
    ["watch", watch(station, station.open)],
    ["sign-in", `${station.url}/sign-in`],
  ];
  for (const viewport of [PHONE, DESKTOP]) {
    for (const [name, address] of pages) {
      const context = await browser.newContext({ viewport });
      listen(context);
      const page = await context.newPage();
      const network = await context.newCDPSession(page);
      await network.send("Network.enable");
      const urls = new Map<string, string>();
      const sizes = new Map<string, number>();
      network.on("Network.requestWillBeSent", ({ requestId, request }) => urls.set(requestId, new URL(request.url).pathname));
      network.on("Network.loadingFinished", ({ requestId, encodedDataLength }) => sizes.set(requestId, encodedDataLength));
      await page.goto(address);
      await settled(page);
      const counted = [...sizes].map(([id, bytes]) => [urls.get(id) ?? "", bytes] as const);
      const without = counted.filter(([path]) => !/^\/assets\/(player|hls-worker)|^\/media\//.test(path));
      const total = without.reduce((sum, [, bytes]) => sum + bytes, 0);
      const heaviest = without.toSorted(([, one], [, other]) => other - one).slice(0, 6).map(([path, bytes]) => `${path} ${bytes}`);
      console.log(`first view of ${name} at ${viewport.name} px: ${(total / 1000).toFixed(1)} kB in ${without.length} answers`);
      expect(total, `${name}: ${heaviest.join(", ")}`).toBeLessThan(BYTES_MAX);
      expect(total, "something was loaded").toBeGreaterThan(5_000);
      await context.close();
    }
  }
});
