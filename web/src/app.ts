// What every viewer page loads: theme, header, rows, forms, strip. The player is a bundle of its own.
import { carousels } from "./site/carousel";
import { follow } from "./site/follow";
import { forms } from "./site/forms";
import { header } from "./site/header";
import { strip } from "./site/strip";
import { themeSwitch } from "./site/theme-switch";
import { transitions } from "./site/transition";
import { waiting } from "./site/waiting";

header();
themeSwitch();
carousels();
forms();
follow();
strip();
transitions();
waiting();
