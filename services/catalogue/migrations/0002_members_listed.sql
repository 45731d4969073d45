-- What is for members is listed to everyone: tier 1, whoever is signed in, is no more.

UPDATE series SET listed_to = 0 WHERE listed_to = 1;
UPDATE series SET playable_to = 0 WHERE playable_to = 1;
UPDATE series_genre SET listed_to = 0 WHERE listed_to = 1;
UPDATE episode SET open_to = 0 WHERE open_to = 1;
UPDATE episode SET listed_to = 0 WHERE listed_to = 1;
