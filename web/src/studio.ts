// What every provider page loads: forms, theme, and the upload tray where there is one.
import { forms } from "./site/forms";
import { strip } from "./site/strip";
import { themeSwitch } from "./site/theme-switch";
import { defineUploadTray } from "./studio/upload-tray";

themeSwitch();
forms();
strip();
defineUploadTray();
