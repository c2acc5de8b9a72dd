// SPDX-License-Identifier: MIT
#include "train/recipe.h"

#include <string.h>

#define FUM_RECIPE(name) extern const struct fum_recipe fum_recipe_##name;
#include "train/recipes.def"
#undef FUM_RECIPE

const struct fum_recipe *const fum_recipes[] = {
#define FUM_RECIPE(name) &fum_recipe_##name,
#include "train/recipes.def"
#undef FUM_RECIPE
    NULL};

const struct fum_recipe *fum_recipe_find(const char *name) {
    for (size_t i = 0; name && fum_recipes[i]; i++)
        if (!strcmp(fum_recipes[i]->name, name)) return fum_recipes[i];
    return NULL;
}

const char *fum_recipe_name(size_t index) {
    size_t i = 0;
    while (i < index && fum_recipes[i]) i++;
    return fum_recipes[i] ? fum_recipes[i]->name : NULL;
}

const char *fum_recipe_summary(const char *name) {
    const struct fum_recipe *recipe = fum_recipe_find(name);
    return recipe ? recipe->summary : NULL;
}

const char *fum_recipe_defaults(const char *name) {
    const struct fum_recipe *recipe = fum_recipe_find(name);
    return recipe ? fum_recipe_text(name) : NULL;
}
