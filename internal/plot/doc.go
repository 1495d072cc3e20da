// Package plot draws the pictures of an inversion as PNG files: velocity
// sections with their differences, convergence curves, gathers and gradients.
//
// It draws plain arrays: sections are [nz, nx] and gathers [receiver, time],
// both row by row with the last index fastest. Positions are in metres and
// axes are labelled in kilometres and seconds. Arrays of any size are averaged
// down to the pixels of their panel before they are coloured. Cells that are
// NaN are drawn grey and do not count towards a colour range.
//
// A picture is written to a temporary file beside its destination and renamed,
// so that a reader never meets half a picture.
//
// gonum/plot draws from the bottom up. Depth is therefore plotted as y = -z
// with tick labels that show the magnitude; its inverted scale misplaces
// raster images.
package plot
