//! What the demo shows: three series of four episodes, each a moving picture and a sound of its own, as arguments for ffmpeg.

/// A series of the demo.
pub(crate) struct Series {
    pub(crate) title: &'static str,
    pub(crate) genre: &'static str,
    pub(crate) short_text: &'static str,
    pub(crate) long_text: &'static str,
    pub(crate) episodes: [Episode; 4],
}

/// An episode of the demo.
pub(crate) struct Episode {
    pub(crate) title: &'static str,
    pub(crate) short_text: &'static str,
    pub(crate) access: &'static str,
    /// A source of ffmpeg's filter graph, and filters behind it.
    picture: &'static str,
    /// Frequencies of its chord, in hertz.
    chord: [u32; 3],
}

const fn episode(title: &'static str, short_text: &'static str, picture: &'static str, chord: [u32; 3]) -> Episode {
    Episode { title, short_text, access: "public", picture, chord }
}

impl Episode {
    const fn only_for(self, access: &'static str) -> Self {
        Self { access, ..self }
    }
}

/// The series, the last one made standing first on the home page.
pub(crate) const SERIES: &[Series] = &[
    Series {
        title: "Small Worlds",
        genre: "Science",
        short_text: "Tiny rules, long consequences.",
        long_text: "Four short films in which almost nothing is decided in advance: cells live by the number of their neighbours, lines answer the line above, and patterns appear that nobody drew.",
        episodes: [
            episode(
                "Neighbours",
                "A thousand cells count each other.",
                "life=s=320x180:mold=12:r=25:ratio=0.12:death_color=#1b2a6b:life_color=#ffd27a:mold_color=#41206b,scale=1280:720:flags=neighbor",
                [196, 247, 294],
            ),
            episode(
                "The Line Above",
                "Every line is an answer to the one before.",
                "cellauto=s=320x180:rule=110:r=25,negate,scale=1280:720:flags=neighbor,colorchannelmixer=.9:0:0:0:.4:0:0:0:.1",
                [220, 262, 330],
            ),
            episode(
                "Rule Thirty",
                "Order that cannot be told from noise.",
                "cellauto=s=320x180:rule=30:r=25,scale=1280:720:flags=neighbor,colorchannelmixer=.1:0:0:0:.7:0:0:0:.9",
                [174, 220, 262],
            ),
            episode(
                "Triangles All the Way",
                "Closer, and it is the same.",
                "sierpinski=s=1280x720:r=25:type=carpet,hue=h=t*18:s=1",
                [165, 208, 247],
            ),
        ],
    },
    Series {
        title: "Weather Report",
        genre: "Nature",
        short_text: "The sky over a town that does not exist.",
        long_text: "A season of skies. Each evening another front comes in over Lantern Street, and the light does what light does: it bends, it pools, it leaves.",
        episodes: [
            episode(
                "High Pressure",
                "Nothing moves, and then it does.",
                "gradients=s=1280x720:r=25:c0=#0b3c6f:c1=#3aa6dd:c2=#ffe9b8:n=3:speed=0.012:seed=4",
                [262, 330, 392],
            ),
            episode(
                "A Front from the West",
                "Violet by six, rain by seven.",
                "gradients=s=1280x720:r=25:c0=#2b1055:c1=#7597de:c2=#d53369:n=3:speed=0.03:seed=9",
                [233, 277, 349],
            ),
            episode(
                "Sundogs",
                "Three suns for eleven minutes. For members.",
                "gradients=s=1280x720:r=25:c0=#ff512f:c1=#f9d423:c2=#1a2a6c:n=3:speed=0.02:seed=21:type=radial",
                [247, 311, 370],
            )
            .only_for("members"),
            episode(
                "Eye of the Storm",
                "A rough cut that only the team sees.",
                "gradients=s=1280x720:r=25:c0=#0f2027:c1=#2c5364:c2=#78ffd6:n=3:speed=0.05:seed=33:type=spiral",
                [208, 247, 311],
            )
            .only_for("private"),
        ],
    },
    Series {
        title: "The Night Shift",
        genre: "Drama",
        short_text: "Somebody has to keep the lights on.",
        long_text: "Lantern Street, after midnight. The lamps are counted, the doors are tried, and something in the pattern of lit windows is not as it was yesterday.",
        episodes: [
            episode(
                "The Lamplighter",
                "Forty lamps, and one too many.",
                "mandelbrot=s=480x270:r=25:maxiter=80:start_scale=2.4:end_scale=0.4:end_pts=500:inner=period,hue=h=20:s=0.55:b=-1,scale=1280:720",
                [110, 165, 220],
            ),
            episode(
                "Counting Windows",
                "One of them is lit that should not be.",
                "mandelbrot=s=640x360:r=25:maxiter=120:start_x=-0.1:start_y=-0.9:start_scale=1.2:end_scale=0.2:end_pts=500,hue=h=140:s=0.55:b=-1,scale=1280:720",
                [123, 185, 247],
            ),
            episode(
                "The Door at Number Nine",
                "It opens inwards.",
                "mandelbrot=s=640x360:r=25:maxiter=120:start_x=-0.75:start_y=-0.1:start_scale=0.9:end_scale=0.15:end_pts=500,hue=h=240:s=0.55:b=-1,scale=1280:720",
                [131, 196, 262],
            ),
            episode(
                "Morning",
                "What the night was for.",
                "mandelbrot=s=640x360:r=25:maxiter=120:start_x=-1.3:start_y=0.05:start_scale=1.1:end_scale=0.25:end_pts=500,hue=h=320:s=0.55:b=-1,scale=1280:720",
                [147, 220, 294],
            ),
        ],
    },
];

/// Arguments that draw one of the twelve episodes into `drawn.mp4`: H.264 and AAC, so that it can be played as it is.
pub(crate) fn arguments(drawing: usize, seconds: u32) -> Vec<String> {
    let episode = &SERIES[drawing / 4 % SERIES.len()].episodes[drawing % 4];
    let [root, third, fifth] = episode.chord;
    let tone = |hertz: u32, beat: f32| format!("0.12*sin(2*PI*{hertz}*t)*(0.6+0.4*sin(2*PI*{beat}*t))");
    let chord = [tone(root, 0.25), tone(third, 0.5), tone(fifth, 0.125)].join("+");
    let sound = format!("aevalsrc=exprs={chord}|{chord}:s=48000");
    let words = [
        "-nostdin",
        "-hide_banner",
        "-loglevel",
        "error",
        "-f",
        "lavfi",
        "-i",
        episode.picture,
        "-f",
        "lavfi",
        "-i",
        &sound,
        "-t",
        &seconds.to_string(),
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-crf",
        "26",
        "-maxrate",
        "3M",
        "-bufsize",
        "6M",
        "-pix_fmt",
        "yuv420p",
        "-r",
        "25",
        "-g",
        "50",
        "-keyint_min",
        "50",
        "-sc_threshold",
        "0",
        "-c:a",
        "aac",
        "-b:a",
        "128k",
        "-ac",
        "2",
        "-movflags",
        "+faststart",
        "-y",
        "drawn.mp4",
    ];
    words.iter().map(|&word| word.to_owned()).collect()
}
