//! Tables for a person: columns as wide as they need, numbers to the right.

/// The lines of a table under its heads.
pub(crate) fn lines(heads: &[&str], rows: &[Vec<String>]) -> Vec<String> {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain([heads[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..heads.len()).map(width).collect();
    let heads: Vec<String> = heads.iter().map(ToString::to_string).collect();
    let rule: Vec<String> = widths.iter().map(|width| "─".repeat(*width)).collect();
    let all = [heads, rule].into_iter().chain(rows.iter().cloned());
    all.map(|row| line(&row, &widths)).collect()
}

/// Seconds with one decimal, or minutes and seconds when there are many.
pub(crate) fn seconds(time: std::time::Duration) -> String {
    let seconds = time.as_secs();
    if seconds < 100 {
        format!("{:.1} s", time.as_secs_f64())
    } else {
        format!("{} min {:02} s", seconds / 60, seconds % 60)
    }
}

fn line(row: &[String], widths: &[usize]) -> String {
    let cells = row.iter().zip(widths).map(|(cell, width)| {
        let gap = " ".repeat(width.saturating_sub(cell.chars().count()));
        if cell.starts_with(|sign: char| sign.is_ascii_digit()) {
            format!("{gap}{cell}")
        } else {
            format!("{cell}{gap}")
        }
    });
    cells.collect::<Vec<String>>().join("  ").trim_end().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn columns_are_as_wide_as_they_need() {
        let rows =
            [vec!["build".to_string(), "9.5 s".to_string()], vec!["install ffmpeg".to_string(), "12.0 s".to_string()]];
        assert_eq!(
            lines(&["Phase", "Time"], &rows),
            ["Phase           Time", "──────────────  ──────", "build            9.5 s", "install ffmpeg  12.0 s"]
        );
    }

    #[test]
    fn long_times_are_told_in_minutes() {
        assert_eq!(seconds(Duration::from_millis(1240)), "1.2 s");
        assert_eq!(seconds(Duration::from_secs(187)), "3 min 07 s");
    }
}
