// The control bar, built from media-chrome's elements around our own video element.
import { make } from "../dom";
import "./shadow-styles";
import "media-chrome";
import "media-chrome/menu";

/** Wraps the video in a controller with its bar; `title` is shown over the picture. */
export function surround(video: HTMLVideoElement, title: string): HTMLElement {
  video.slot = "media";
  video.controls = false;
  const controller = make("media-controller", { nohotkeys: true, autohide: "2.5", defaultsubtitles: false });
  const top = make("div", { slot: "top-chrome", class: "player-top" }, title);
  const buttons = make(
    "media-control-bar",
    {},
    make("media-play-button"),
    make("media-seek-backward-button", { seekoffset: "10" }),
    make("media-seek-forward-button", { seekoffset: "10" }),
    make("media-mute-button"),
    make("media-volume-range"),
    make("media-time-display", { showduration: true }),
    make("span", { class: "player-spacer" }),
    make("media-playback-rate-menu-button"),
    make("media-rendition-menu-button"),
    make("media-pip-button"),
    make("media-fullscreen-button"),
  );
  controller.append(
    make("div", { class: "player-scrim" }),
    video,
    top,
    make("media-loading-indicator", { slot: "centered-chrome", noautohide: true }),
    make("media-playback-rate-menu", { hidden: true, anchor: "auto", rates: "0.5 0.75 1 1.25 1.5 2" }),
    make("media-rendition-menu", { hidden: true, anchor: "auto" }),
    make("media-time-range"),
    buttons,
  );
  return controller;
}
